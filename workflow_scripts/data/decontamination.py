"""Remove repeated questions, and questions that two splits or data sets share."""

import hashlib
import re
from collections.abc import Iterable

from workflow_scripts.data.sources.columns import Row
from workflow_scripts.data.text import question_key

# A question that two splits share stays in the one named first: benchmarks keep theirs, the training pool loses it.
PROTECTED = ("test", "audit", "validation", "explore", "train")

Pool = dict[bytes, Row]  # digest of the question -> row
_MARKS = re.compile(r"[\W_]+")


def exact(prompt: str) -> bytes:
    """Digest of a question as `question_key` tells it from others: 16 bytes in place of a text kept twice."""
    return hashlib.blake2b(question_key(prompt).encode(), digest_size=16).digest()


def loose(prompt: str) -> bytes:
    """Digest of the letters and digits of a question: equal where only spacing, punctuation or LaTeX marks differ.

    It takes x + 1 for x - 1, and so serves to keep questions away from those of other data sets, where one too many
    is lost at little cost, and never to find duplicates.
    """
    return hashlib.blake2b(_MARKS.sub("", question_key(prompt)).encode(), digest_size=16).digest()


def drop_duplicates(rows: Iterable[Row]) -> tuple[Pool, dict[str, int]]:
    """Return each question once, and how many rows were dropped as `duplicates` and as `conflicting`.

    A question that comes with two different references has no known answer: all its rows are conflicting. Of equal
    questions the first in the alphabet stays, so that the result does not depend on the order of the rows.
    """
    pool: Pool = {}
    times: dict[bytes, int] = {}
    conflicting: set[bytes] = set()
    for row in rows:
        key = exact(row.prompt)
        times[key] = times.get(key, 0) + 1
        known = pool.setdefault(key, row)
        if question_key(known.reference) != question_key(row.reference):
            conflicting.add(key)
        pool[key] = min(known, row)
    for key in conflicting:
        del pool[key]
    lost = sum(times[key] for key in conflicting)
    return pool, {"conflicting": lost, "duplicates": sum(times.values()) - lost - len(pool)}


def drop_foreign(pool: Pool, foreign: Iterable[str]) -> tuple[Pool, int]:
    """Return the questions that are not among the prompts `foreign` of other data sets, and how many were dropped."""
    taken = {loose(prompt) for prompt in foreign}
    kept = {key: row for key, row in pool.items() if loose(row.prompt) not in taken} if taken else pool
    return kept, len(pool) - len(kept)


def protection_order(names: Iterable[str]) -> list[str]:
    """Return split names, the best protected first; names that are not known come last, in their given order."""
    return sorted(names, key=lambda name: PROTECTED.index(name) if name in PROTECTED else len(PROTECTED))
