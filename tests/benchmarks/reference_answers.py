"""The reference answers of a folder of benchmark files, by file name, as a grader is given them."""

import json
import re
from pathlib import Path

from workflow_scripts.rewards.extract import last_boxed

_MATH_MARKS = re.compile(r"(?<!\\)\$|\\[\[\]]")


def read_references(folder: Path) -> dict[str, list[str]]:
    """File stem -> its non-empty references, in order; files without a known answer column are left out."""
    found = {path.stem: references_of(path) for path in sorted(folder.glob("*.json*"))}
    return {name: answers for name, answers in found.items() if answers}


def references_of(path: Path) -> list[str]:
    """The non-empty references of one file, in order."""
    text = path.read_text()
    rows = json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.splitlines() if line]
    return [answer for answer in map(_reference, rows) if answer]


def _reference(row: dict) -> str:
    for column in ("answer", "final_answer", "Answer"):
        if column in row:
            return _bare(row[column])
    return " ".join((last_boxed(row.get("solution", "")) or "").split())


def _bare(cell: object) -> str:
    if isinstance(cell, list):
        return ", ".join(map(_bare, cell))
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
    for mark in ("####", "The answer is:"):
        text = text.rpartition(mark)[2]
    text = _MATH_MARKS.sub("", text)
    return " ".join((last_boxed(text) or text).split())
