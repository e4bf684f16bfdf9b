"""Remove repeated questions, and questions that two splits share."""

from collections.abc import Iterable

from workflow_scripts.data.sources.columns import Row
from workflow_scripts.data.text import question_key

# A question that two splits share stays in the one named first: benchmarks keep theirs, the training pool loses it.
PROTECTED = ("test", "audit", "validation", "explore", "train")


def drop_duplicates(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Return the rows whose question has not come before, and how many were dropped."""
    first: dict[str, Row] = {}
    total = 0
    for row in rows:
        total += 1
        first.setdefault(question_key(row["prompt"]), row)
    return list(first.values()), total - len(first)


def drop_overlap(rows: list[Row], taken: set[str]) -> tuple[list[Row], int]:
    """Return the rows whose question is not in `taken` (question keys), and how many were dropped."""
    kept = [row for row in rows if question_key(row["prompt"]) not in taken]
    return kept, len(rows) - len(kept)


def protection_order(names: Iterable[str]) -> list[str]:
    """Return split names, the best protected first; names that are not known come last, in their given order."""
    return sorted(names, key=lambda name: PROTECTED.index(name) if name in PROTECTED else len(PROTECTED))
