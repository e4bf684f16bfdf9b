"""LaTeX mark-up taken off an answer, as far as it is only mark-up. Linear-time patterns; braces are never nested."""

import re

_WRAPPER = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox|operatorname)\s?\{([^{}]*)\}")
_FRACTION = re.compile(r"\\[dtc]?frac\s?\{([^{}]*)\}\s?\{([^{}]*)\}")
_SHORT_FRACTION = re.compile(r"\\[dtc]?frac\s?(\d)\s?(\d)")
_ATOM = re.compile(r"-?[\w.]+")
_REPLACED = (
    ("{,}", ","),
    ("^{\\circ}", "°"),
    ("^\\circ", "°"),
    ("\\cdot", "*"),
    ("\\times", "*"),
    ("\\left", ""),
    ("\\right", ""),
    ("\\displaystyle", ""),
    ("\\%", "%"),
    ("\\$", ""),
    ("$", ""),
    ("\\(", ""),
    ("\\)", ""),
    ("\\[", ""),
    ("\\]", ""),
    ("\\{", "{"),
    ("\\}", "}"),
    ("\\!", ""),
    ("\\,", " "),
    ("\\;", " "),
    ("\\ ", " "),
    ("~", " "),
    ("\\", " "),
)


def plain(text: str) -> str:
    r"""`text` without LaTeX mark-up: \text{cm} is cm, \frac{1}{2} is 1/2, $5$ is 5, \pi is pi."""
    text = _WRAPPER.sub(r" \1 ", text)
    text = _SHORT_FRACTION.sub(r"\1/\2", text)
    text = _FRACTION.sub(lambda match: f"{_operand(match[1])}/{_operand(match[2])}", text)
    for mark, meaning in _REPLACED:
        text = text.replace(mark, meaning)
    return text


def _operand(text: str) -> str:
    stripped = text.strip()
    return stripped if _ATOM.fullmatch(stripped) else f"({stripped})"
