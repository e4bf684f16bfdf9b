"""Questions of local files: JSON lines, a JSON list, Parquet or CSV."""

import csv
import glob
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.artifacts.keys import file_digest
from workflow_scripts.data.collect import collect
from workflow_scripts.data.sources import Tables
from workflow_scripts.data.sources.columns import Record


def make_tables(config: dict[str, Any], foreign: Iterable[str]) -> Tables:
    """Return the splits of the files `source["path"]`, in which `{origin}` is a split's origin and * any text."""
    source = config["source"]
    return collect(config, lambda origin, columns: read(source, origin, columns), foreign)


def read(source: dict[str, Any], origin: str, columns: set[str]) -> Iterator[Record]:
    """Yield the records of the files of `origin`; ValueError if one is missing or not the file that the spec names."""
    files = files_of(source["path"], origin)
    if not files:
        raise ValueError(f"{source['path'].replace('{origin}', origin)}: no such files")
    for path in files:
        digest = (source.get("sha256") or {}).get(str(path))
        if digest and path.is_file() and file_digest(path) != digest:
            raise ValueError(f"{path}: the file has changed: its SHA-256 is no longer {digest}")
        for place, record in read_records(path, columns):
            yield f"{path}: {place}", record


def files_of(path: str, origin: str) -> list[Path]:
    """Return the files of a source's `path`, sorted; the path itself where it has no *."""
    path = path.replace("{origin}", origin)
    return sorted(map(Path, glob.glob(path))) if "*" in path else [Path(path)]


def read_records(path: Path, columns: set[str] | None = None) -> Iterator[Record]:
    """Yield (place, record) of a file; of Parquet only `columns` where given and all there.

    ValueError in one line, with file and row, if it is missing, unreadable or of an unknown kind.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if path.suffix not in READERS:
        raise ValueError(f"{path}: unknown kind of file (known: {', '.join(READERS)})")
    try:
        for place, record in READERS[path.suffix](path, columns):
            if not isinstance(record, dict):
                raise ValueError(f"{path}: {place} is no JSON object")
            yield place, record
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None


def _json_lines(path: Path, _columns: set[str] | None) -> Iterator[Record]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield f"line {number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{path}: line {number} is no JSON: {error.msg}") from None


def _json(path: Path, _columns: set[str] | None) -> Iterator[Record]:
    try:
        records = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: no JSON: {error.msg} in line {error.lineno}") from None
    if not isinstance(records, list):
        raise ValueError(f"{path}: no JSON list of records")
    yield from ((f"row {number}", record) for number, record in enumerate(records, start=1))


def _parquet(path: Path, columns: set[str] | None) -> Iterator[Record]:
    # A file from outside has no schema of ours to be checked against, so it does not go through artifacts/.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            names = set(table.schema_arrow.names)
            wanted = sorted(columns) if columns and columns <= names else None
            number = 0
            for batch in table.iter_batches(columns=wanted, batch_size=1000):
                for record in batch.to_pylist():
                    number += 1
                    yield f"row {number}", record
    except pa.ArrowException as error:
        raise ValueError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None


def _csv(path: Path, _columns: set[str] | None) -> Iterator[Record]:
    csv.field_size_limit(2**31 - 1)  # solutions are longer than the default of 128 KiB
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, strict=True)
        try:
            for record in reader:
                if None in record or None in record.values():
                    raise ValueError(f"{path}: line {reader.line_num} has not as many cells as the header")
                yield f"line {reader.line_num}", record
        except csv.Error as error:
            raise ValueError(f"{path}: line {reader.reader.line_num} is no CSV: {error}") from None


READERS = {".jsonl": _json_lines, ".json": _json, ".parquet": _parquet, ".csv": _csv}
