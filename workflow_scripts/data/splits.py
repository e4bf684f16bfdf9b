"""Deal the rows of a source out to splits: distinct questions, no question in two splits, everything counted."""

from collections.abc import Callable, Iterable
from typing import Any

from workflow_scripts.data.decontamination import Pool, drop_duplicates, drop_foreign, protection_order
from workflow_scripts.data.sources.columns import Row
from workflow_scripts.data.text import hash_fraction, question_key

Loader = Callable[[str], Iterable[Row]]  # origin -> rows


def deal(
    splits: dict[str, dict[str, Any]], load: Loader, seed: int, foreign: Iterable[str]
) -> tuple[dict[str, list[Row]], dict[str, dict[str, int]]]:
    """Return the rows of every split, sorted by question, and by origin how many rows were not dealt out.

    Splits with one origin get different questions of it, in an order that depends on seed and question alone; the
    best protected split (`protection_order`) draws first. Dropped are `duplicates`, `conflicting` questions (equal
    but for their references), those that are `contaminated` by the prompts `foreign` of other data sets, and those
    that another origin's split already has (`overlap`); the rest is `unused`. ValueError if an origin has fewer rows
    than its splits ask for.
    """
    foreign = list(foreign)
    pools: dict[str, Pool] = {}
    counts: dict[str, dict[str, int]] = {}
    for origin in dict.fromkeys(split.get("source") or name for name, split in splits.items()):
        distinct, counts[origin] = drop_duplicates(load(origin))
        pools[origin], counts[origin]["contaminated"] = drop_foreign(distinct, foreign)
        counts[origin]["overlap"] = 0
    dealt: dict[str, list[Row]] = {}
    taken: set[bytes] = set()
    for name in protection_order(splits):
        origin = splits[name].get("source") or name
        pool = {key: row for key, row in pools[origin].items() if key not in taken}
        counts[origin]["overlap"] += len(pools[origin]) - len(pool)
        chosen = _choose(pool, name, splits[name], seed)
        pools[origin] = {key: row for key, row in pool.items() if key not in chosen}
        dealt[name] = sorted(chosen.values(), key=lambda row: question_key(row.prompt))
        taken |= chosen.keys()
    for origin, pool in pools.items():
        counts[origin]["unused"] = len(pool)
    return dealt, counts


def _choose(pool: Pool, name: str, split: dict[str, Any], seed: int) -> Pool:
    """The rows of one split: those of its subjects, the first of them in the order that the seed gives."""
    subjects, rows = split.get("subjects"), split.get("rows")
    wanted = [key for key, row in pool.items() if subjects is None or row.subject in subjects]
    if not wanted or (rows is not None and len(wanted) < rows):
        asked = f"{rows or 'any'} rows of {', '.join(subjects) if subjects else 'all subjects'}"
        raise ValueError(f"split {name!r} asks for {asked}, found {len(wanted)}")
    if rows is not None:
        wanted = sorted(wanted, key=lambda key: hash_fraction("deal", seed, key.hex()))[:rows]
    return {key: pool[key] for key in wanted}
