r"""Five ways to say a reference answer, and five to miss it, by what kind of answer it is.

A form is a whole response. The equal ones go from the reference in a box to a value that only arithmetic recognises;
the wrong ones are near misses: a digit, a sign, another question's answer, a hedge between two answers.
"""

import re

from workflow_scripts.rewards.rule import Verdict, compare

_NUMBER = re.compile(r"-?\d{1,3}(?:,\d{3})+|-?\d+(?:\.\d+)?")
_FRACTION = re.compile(r"\\[dt]?frac\{(-?\d+)\}\{(\d+)\}|(-?\d+)/(\d+)")
_RELATION = re.compile(r"=|<|>|\\(?:le|ge|leq|geq|leqslant|geqslant|in|neq|equiv|mid|to|pmod|subset)\b")
_TEXT = re.compile(r"\\text|\\mathrm|\\mbox|\\operatorname|(?<![\\A-Za-z])[A-Za-z]{4,}")
_CHOICE = re.compile(r"\(?[A-Za-z]\)?")
_COMMANDS = re.compile(r"\\[a-zA-Z]+")
_DIGITS = re.compile(r"\d+")


def kind_of(reference: str) -> str:
    """number, fraction, relation, text, several (list, tuple, interval, set, matrix) or expression."""
    if _NUMBER.fullmatch(reference):
        return "number"
    if _FRACTION.fullmatch(reference):
        return "fraction"
    worded = _TEXT.search(reference) or _TEXT.search(_COMMANDS.sub("", reference))
    if _CHOICE.fullmatch(reference) or worded:
        return "text"
    if _RELATION.search(reference):
        return "relation"
    if "," in reference or re.search(r"\\(?:begin|cup|cap|pm|\{)|\bor\b|;|%|\\circ|\d_", reference):
        return "several"
    return "expression"


def equal_forms(reference: str) -> dict[str, str]:
    """Name -> response whose answer is the reference."""
    kind = kind_of(reference)
    return {
        "boxed": f"We add up.\nTherefore, $\\boxed{{{reference}}}$.",
        "phrase": f"Let us see.\nThe answer is ${reference}$.",
        "typography": f"\\[ \\boxed{{{_typeset(reference, kind)}}} \\]",
        "value": f"So $\\boxed{{{_other_value(reference, kind)}}}$",
        "context": f"Hence $\\boxed{{{_in_context(reference, kind)}}}$.",
    }


def wrong_forms(reference: str, other: str) -> dict[str, str]:
    """Name -> response whose answer is not the reference; `other` is the reference of another question."""
    kind = kind_of(reference)
    answers = {
        "one more": _with_digits(reference, 0, lambda digits: str(int(digits) + 1), other),
        "digit": _with_digits(reference, -1, lambda digits: f"1{digits}", other),
        "sign": _negated(reference, kind, other),
        "other": other,
        "hedge": f"{reference} \\text{{ or }} {other}",
    }
    return {name: f"So the answer is $\\boxed{{{answer}}}$." for name, answer in answers.items()}


def other_reference(references: list[str], index: int) -> str:
    """The next reference of the list that is another answer; "17" where all are the same."""
    later = references[index + 1 :] + references[:index]
    return next((text for text in later if compare(text, references[index]) is Verdict.DIFFERENT), "17")


def _typeset(text: str, kind: str) -> str:
    if kind == "number":
        whole, point, decimals = text.replace(",", "").partition(".")
        return f"{int(whole):,}".replace(",", "{,}") + point + decimals if whole not in ("-0", "-") else text
    text = re.sub(r"\\[dt]?frac", r"\\dfrac", text)
    text = re.sub(r"(?<!left)(?<!\\)\(", r"\\left(", re.sub(r"(?<!right)(?<!\\)\)", r"\\right)", text))
    return re.sub(r"\s*,\s*", r",\\ ", text) if text.count("\\left(") == text.count("\\right)") else f" {text} "


def _other_value(text: str, kind: str) -> str:
    if kind == "number":
        plain = text.replace(",", "")
        return f"{plain}0" if "." in plain else f"{plain}.0"
    if kind == "fraction":
        top, bottom = _parts(text)
        return f"\\frac{{{3 * top}}}{{{3 * bottom}}}"
    if kind == "expression":
        return f"\\frac{{2({text})}}{{2}}"
    if kind == "several":
        return re.sub(r"(?<![\d.\\{_^,])(\d+)(?![\d.}_^])(?=\s*[,)\]])", r"\1.0", text)
    return f" {text} "


def _in_context(text: str, kind: str) -> str:
    if kind == "number":
        return f"x = \\frac{{{2 * int(text)}}}{{2}}" if text.lstrip("-").isdigit() else f"x = {text}"
    if kind == "fraction":
        top, bottom = _parts(text)
        return f"{top}/{bottom}"
    if kind == "expression":
        return f"A = {text}"
    return text + "." if kind == "text" else f"{text} "


def _parts(text: str) -> tuple[int, int]:
    found = _FRACTION.fullmatch(text)
    return int(found[1] or found[3]), int(found[2] or found[4])


def _with_digits(text: str, place: int, change, other: str) -> str:
    """`text` with its first (0) or last (-1) digits changed; a text without digits becomes the other one."""
    spans = [match.span() for match in _DIGITS.finditer(text)]
    if not spans:
        return other
    start, end = spans[place]
    changed = change(text[start:end])
    powered = start > 0 and text[start - 1] in "^_"
    return text[:start] + (f"{{{changed}}}" if powered else changed) + text[end:]


def _negated(text: str, kind: str, other: str) -> str:
    if kind in ("number", "fraction"):
        zero = float(_NUMBER.search(text)[0].replace(",", "")) == 0
        return "1" if zero else text[1:] if text.startswith("-") else f"-{text}"
    return f"-({text})" if kind == "expression" and not text.startswith("\\pm") else f"{text}, {other}"
