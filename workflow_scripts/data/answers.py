r"""Rules that find the reference answer in a cell, by the names that a config gives.

`whole`: the cell; `hashes`: what follows GSM8K's "####"; `boxed`: the last \boxed{} of a solution; `math`: the cell
without the dollar signs around its formulas; `value`: a number or a list written as text. "" where there is none.
"""

import json
import re
from collections.abc import Callable

from workflow_scripts.data.cells import cell_text

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*(?=\{)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DOLLAR = re.compile(r"(?<!\\)\$")


def _after_hashes(cell: str) -> str:
    """What follows the last "####", without the commas between thousands; "" without the mark."""
    _, mark, answer = cell.rpartition("####")
    return _THOUSANDS.sub("", answer).strip() if mark else ""


def _last_boxed(cell: str) -> str:
    for match in reversed(list(_BOX.finditer(cell))):
        content = _in_braces(cell, match.end())
        if content is not None:
            return content.strip()
    return ""


def _in_braces(text: str, start: int) -> str | None:
    """What stands within the braces that open at `start`, or None if they never close. Escaped braces do not count."""
    depth, position = 0, start
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] in "{}":
            depth += 1 if text[position] == "{" else -1
            if depth == 0:
                return text[start + 1 : position]
        position += 1
    return None


def _without_dollars(cell: str) -> str:
    return _DOLLAR.sub("", cell).strip()


def _value(cell: str) -> str:
    """As the cell would read had the file kept numbers and lists: "1.0" is "1", "[0, 5]" is "0, 5"."""
    try:
        return cell_text(json.loads(cell, parse_constant=lambda name: name))
    except json.JSONDecodeError:
        return cell


ANSWERS: dict[str, Callable[[str], str]] = {
    "whole": str.strip,
    "hashes": _after_hashes,
    "boxed": _last_boxed,
    "math": _without_dollars,
    "value": _value,
}
