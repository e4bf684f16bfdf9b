"""Tables of a generated world: questions with their truth, demonstrations, or pairs for a judge."""

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from workflow_scripts.artifacts.schemas import DEMONSTRATIONS, PAIRS, QUESTIONS, TRUTH
from workflow_scripts.data.sources import Tables
from workflow_scripts.data.text import question_key

GENERATORS = {"nano_world": "workflow_scripts.data.nano_world"}

# Where a split's questions come from, unless its `source` says otherwise: demonstrations and pairs have
# splits train and validation of their own, which must not touch the questions of the same names.
REGIONS = {
    "questions": {},
    "demonstrations": {"train": "demonstrations", "validation": "held_out"},
    "pairs": {"train": "demonstrations", "validation": "held_out"},
}


def make_tables(config: dict[str, Any], foreign: Iterable[str]) -> Tables:
    """Return the tables of all splits. ValueError in one line for a bad setting, or for questions that are shared."""
    tables, seen, taken = Tables(), set(), set(map(question_key, foreign))
    for name, split in config["splits"].items():
        files, counts = _make_split(config["source"], name, split, config["seed"])
        columns = files[0][1]
        ids = set(columns.get("question_id", ()))
        if seen & ids:  # cannot happen while the splits' regions differ
            raise ValueError(f"split {name!r} shares {len(seen & ids)} questions with an earlier one: same `source`?")
        if taken and taken & set(map(question_key, columns["prompt"])):
            raise ValueError(f"split {name!r} shares questions with a data set it must not overlap")
        seen |= ids
        tables.files += files
        tables.count(name, **counts, kept=len(columns["prompt"]))
    return tables


def _make_split(
    source: dict[str, Any], name: str, split: dict[str, Any], seed: int
) -> tuple[list[tuple], dict[str, int]]:
    """Return [(file, columns, schema)] of one split, and its counts. ValueError in one line for a bad setting."""
    if source["generator"] not in GENERATORS:
        raise ValueError(f"unknown generator {source['generator']!r} (known: {', '.join(GENERATORS)})")
    if source["table"] not in REGIONS:
        raise ValueError(f"unknown table {source['table']!r} (known: {', '.join(REGIONS)})")
    if split.get("rows") is None:
        raise ValueError(f"split {name!r}: a generator needs a number of rows")
    world = import_module(GENERATORS[source["generator"]])
    settings = world.read_settings(source.get("options"))
    region = split.get("source") or REGIONS[source["table"]].get(name, name)
    drawn = (split["rows"], region, split.get("subjects"), settings, seed)
    if source["table"] == "demonstrations":
        columns = world.demonstration_table(*drawn)
        return [(f"{name}.parquet", columns, DEMONSTRATIONS)], {"noisy": sum(columns["noisy"])}
    if source["table"] == "pairs":
        columns, repeats = world.pair_table(*drawn)
        return [(f"{name}.parquet", columns, PAIRS)], {"duplicates": repeats, "equivalent": sum(columns["equivalent"])}
    columns, truths, repeats = world.question_table(*drawn)
    return [(f"{name}.parquet", columns, QUESTIONS), (f"{name}.truth.parquet", truths, TRUTH)], {"duplicates": repeats}
