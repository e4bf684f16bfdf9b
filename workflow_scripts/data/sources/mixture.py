"""Questions of other data sets together: the subject of a question is the data set that it comes from."""

from collections.abc import Iterable
from typing import Any

from workflow_scripts.data.collect import add_splits
from workflow_scripts.data.sources import Tables
from workflow_scripts.data.sources.columns import Row
from workflow_scripts.data.splits import deal


def make_tables(config: dict[str, Any], parts: dict[str, Iterable[dict[str, Any]]]) -> Tables:
    """Return the splits, dealt from all parts: data set -> rows of QUESTIONS.

    Over the splits: loaded = kept + unused + everything dropped, as `deal` says. ValueError where there are too few.
    """
    rows = [Row(name, row["prompt"], row["reference"]) for name, part in parts.items() for row in part]
    splits = {name: split | {"source": "parts"} for name, split in config["splits"].items()}
    dealt, counts = deal(splits, lambda _: rows, config["seed"], ())
    tables = Tables()
    tables.count("parts", loaded=len(rows), **counts["parts"])
    add_splits(tables, dealt)
    return tables
