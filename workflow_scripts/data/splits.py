"""Deal the rows of a source out to splits: distinct questions, no question in two splits, everything counted."""

from collections.abc import Callable
from typing import Any

from workflow_scripts.data.decontamination import drop_duplicates, drop_overlap, protection_order
from workflow_scripts.data.sources.columns import Row
from workflow_scripts.data.text import hash_fraction, question_key

Loader = Callable[[str], tuple[list[Row], int]]  # origin -> rows, how many were empty


def deal(
    splits: dict[str, dict[str, Any]], load: Loader, seed: int, taken: set[str]
) -> tuple[dict[str, list[Row]], dict[str, int]]:
    """Return the rows of every split, sorted by question, and the counts for the manifest.

    Splits with one origin get different questions of it, in an order that depends on seed and question alone; the
    best protected split (`protection_order`) draws first. Questions in `taken` (question keys of other data sets)
    and those that another origin's split already has are dropped and counted. ValueError if an origin has fewer rows
    than its splits ask for.
    """
    pools: dict[str, list[Row]] = {}
    counts = {"loaded": 0, "empty": 0, "duplicates": 0, "overlap": 0, "unused": 0}
    for origin in dict.fromkeys(split.get("source") or name for name, split in splits.items()):
        rows, empty = load(origin)
        pool, duplicates = drop_duplicates(rows)
        pools[origin] = sorted(pool, key=lambda row: hash_fraction("deal", seed, question_key(row["prompt"])))
        for name, count in (("loaded", len(rows) + empty), ("empty", empty), ("duplicates", duplicates)):
            counts[name] += count
    dealt: dict[str, list[Row]] = {}
    taken = set(taken)
    for name in protection_order(splits):
        origin = splits[name].get("source") or name
        pools[origin], overlap = drop_overlap(pools[origin], taken)
        counts["overlap"] += overlap
        dealt[name], pools[origin] = _take(pools[origin], name, splits[name])
        taken |= {question_key(row["prompt"]) for row in dealt[name]}
    counts["unused"] = sum(map(len, pools.values()))
    return dealt, counts


def _take(pool: list[Row], name: str, split: dict[str, Any]) -> tuple[list[Row], list[Row]]:
    subjects, rows = split.get("subjects"), split.get("rows")
    chosen: list[Row] = []
    rest: list[Row] = []
    for row in pool:
        wanted = subjects is None or row["subject"] in subjects
        full = rows is not None and len(chosen) >= rows
        (chosen if wanted and not full else rest).append(row)
    if not chosen or (rows is not None and len(chosen) < rows):
        raise ValueError(
            f"split {name!r} asks for {rows or 'any'} rows of {subjects or 'all subjects'}, found {len(chosen)}"
        )
    return sorted(chosen, key=lambda row: question_key(row["prompt"])), rest
