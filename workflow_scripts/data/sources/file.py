"""Questions of a local file: JSON lines, a JSON list, Parquet or CSV."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.data.sources.columns import Row, to_rows


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file; ValueError in one line if it is missing, unreadable or of an unknown kind."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    readers = {".jsonl": _json_lines, ".json": _json, ".parquet": _parquet, ".csv": _csv}
    if path.suffix not in readers:
        raise ValueError(f"{path}: unknown kind of file (known: {', '.join(readers)})")
    yield from readers[path.suffix](path)


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}: line {number} is no JSON: {error.msg}") from None


def _json(path: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: no JSON: {error.msg} in line {error.lineno}") from None


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    # A file from outside has no schema of ours to be checked against, so it does not go through artifacts/.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        yield from pq.read_table(path).to_pylist()
    except pa.ArrowException as error:
        raise ValueError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def load(source: dict[str, Any], origin: str) -> tuple[list[Row], int]:
    """Return the rows of `source["path"]` and how many were empty.

    `{origin}` in the path becomes the split's origin.
    """
    path = Path(source["path"].replace("{origin}", origin))
    return to_rows(read_records(path), source["columns"], str(path))
