"""LaTeX mark-up taken off an answer, as far as it is only mark-up. Linear-time patterns; braces are never nested."""

import re

_WRAPPER = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox|operatorname)\s?\{([^{}]*)\}")
_STYLED_FRACTION = re.compile(r"\\[dtc]frac")
_MIXED = re.compile(r"(?<=\d)(?=\\frac)")  # 1\frac{1}{2} is not 11/2
_FRACTION = re.compile(r"\\frac\s?\{([^{}]*)\}\s?\{([^{}]*)\}")
_SHORT_FRACTION = re.compile(r"\\frac\s?(\d)\s?(\d)")
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
    text = _MIXED.sub(" ", _STYLED_FRACTION.sub(r"\\frac", text))
    text = _SHORT_FRACTION.sub(r"\1/\2", text)
    text = _FRACTION.sub(lambda match: f"{_operand(match[1])}/{_operand(match[2])}", text)
    for mark, meaning in _REPLACED:
        text = text.replace(mark, meaning)
    return text


def _operand(text: str) -> str:
    stripped = text.strip()
    return stripped if _ATOM.fullmatch(stripped) else f"({stripped})"


# a unit behind a number, a bracket or a group: \text{ cm}^2, \mathrm{ft}/\mathrm{s}, cm^2, %, degrees
_MARKED = r"\\(?:text|textrm|textbf|mathrm|mbox)\s?\{[^{}\d,]*\}"
_NAMED = (
    r"(?:[mckµn]m|m|km|g|kg|mg|lb|oz|s|h|hr|min|ft|in|yd|mi|mph|J|kJ|W|kW|N|V|K|Pa|Hz|mol|"
    r"(?:meter|metre|centimeter|kilometer|mile|inche?|yard|gram|kilogram|pound|second|minute|hour|day|week|month|year|"
    r"dollar|cent|degree|unit|square unit|liter|litre|gallon|percent)s?|feet|foot)"
)
_POWER = r"(?:\s?\^\s?\{?-?\d\}?)?"
_PART = rf"(?:{_MARKED}|{_NAMED}){_POWER}"
_DEGREE = r"\^\s?\{?\s?\\circ\s?\}?(?:\s?[CF])?|°[CF]?"
_UNIT = re.compile(
    r"(?<=[\d})])(?:\\[,;! ]|~|\s)*(?:" + _DEGREE + r"|\\?%|" + _PART + r"(?:\s?[/*]\s?" + _PART + r")?)\s*\.?$"
)
_JOINS = re.compile(r"\b(?:and|or|to|mod)\b")


def without_lone_unit(answer: str, reference: str) -> tuple[str, str]:
    r"""Both texts, less the unit of one that ends with it where the other has none: 5\text{ cm} beside 5 is 5."""
    bare = [_without_unit(text) for text in (answer, reference)]
    has = [text != short for text, short in zip((answer, reference), bare, strict=True)]
    return (bare[0], bare[1]) if has[0] != has[1] else (answer, reference)


def _without_unit(text: str) -> str:
    text = text.strip().strip("$").strip()
    found = _UNIT.search(text)
    return text if found is None or _JOINS.search(found[0]) else text[: found.start()]
