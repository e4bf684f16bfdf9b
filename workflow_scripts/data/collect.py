"""From the records of a source to the tables of its splits, every record accounted for."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from workflow_scripts.artifacts.schemas import QUESTIONS
from workflow_scripts.data.sources import Tables
from workflow_scripts.data.sources.columns import Adapter, Record, Row
from workflow_scripts.data.splits import deal
from workflow_scripts.data.text import question_id

Reader = Callable[[str, set[str]], Iterator[Record]]  # (origin, names of the columns that are looked at) -> records


def collect(config: dict[str, Any], read: Reader, foreign: Iterable[str]) -> Tables:
    """Return the splits as tables, with what was dropped counted by origin, the part of the source it was read from.

    Over the origins and splits: loaded = kept + unused + everything dropped. ValueError as `deal` and `Adapter` say.
    """
    columns = config["source"]["columns"]
    paths = [columns[name] for name in ("prompt", "reference", "subject") if columns.get(name)]
    names = {path.partition(".")[0] for path in [*paths, *columns.get("keep", {})]}
    adapters: dict[str, Adapter] = {}

    def load(origin: str) -> Iterator[Row]:
        adapters[origin] = Adapter(columns, config["dataset"], origin)
        return adapters[origin].rows(read(origin, names))

    dealt, counts = deal(config["splits"], load, config["seed"], foreign)
    tables = Tables()
    for origin, adapter in adapters.items():
        tables.count(origin, **adapter.counts, **counts[origin])
        tables.notes += adapter.notes()
    add_splits(tables, dealt)
    return tables


def add_splits(tables: Tables, dealt: dict[str, list[Row]]) -> None:
    """The table of QUESTIONS of each split, and its count."""
    for split, rows in dealt.items():
        ids = [question_id(row.subject, row.prompt) for row in rows]
        cells = {name: [getattr(row, name) for row in rows] for name in Row._fields}
        tables.files.append((f"{split}.parquet", {"question_id": ids, **cells}, QUESTIONS))
        tables.count(split, kept=len(rows))
