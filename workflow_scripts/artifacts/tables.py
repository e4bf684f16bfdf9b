"""Parquet in, Parquet out: every table is checked against its Arrow schema on write and on read.

Equal rows give equal bytes: compression, row groups and the format version are fixed, and no metadata is added.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.artifacts.errors import StageError

Content = pa.Table | dict[str, Any] | list[dict[str, Any]]  # a table, columns by name, or rows


def write_table(path: Path, content: Content, schema: pa.Schema) -> int:
    """Write a table as Parquet and return the number of rows. What rows hold beside the schema's columns is left out.

    Raises StageError where a column is missing, unknown, of another type, or null where it must not be.
    """
    table = _conform(path, _columns(content, schema) if isinstance(content, list) else content, schema)
    for field in schema:
        nulls = table.column(field.name).null_count
        if nulls and not field.nullable:
            raise StageError(f"{path.name}: column {field.name} has {nulls} nulls")
    pq.write_table(table, path, compression="zstd", version="2.6", row_group_size=1 << 16)
    return table.num_rows


def _columns(rows: list[dict[str, Any]], schema: pa.Schema) -> dict[str, list]:
    """The columns of a schema that all rows have."""
    return {name: [row[name] for row in rows] for name in schema.names if all(name in row for row in rows)}


def _conform(path: Path, columns: pa.Table | dict[str, Any], schema: pa.Schema) -> pa.Table:
    names = columns.column_names if isinstance(columns, pa.Table) else list(columns)
    if wrong := set(names) ^ set(schema.names):
        raise StageError(f"{path.name}: missing or unknown columns {', '.join(sorted(wrong))}")
    try:
        if isinstance(columns, pa.Table):
            return columns.select(schema.names).cast(schema)
        return pa.table([pa.array(columns[field.name], type=field.type) for field in schema], schema=schema)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise StageError(f"{path.name}: {error}") from error


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Read a Parquet file whose columns must be those of the schema. Raises StageError naming the file."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise StageError(f"{path}: file is missing") from error
    except (pa.ArrowException, OSError) as error:
        raise StageError(f"{path}: not a readable Parquet file") from error
    if not table.schema.equals(schema, check_metadata=False):
        expected = {(f.name, str(f.type)) for f in schema}
        found = {(f.name, str(f.type)) for f in table.schema}
        wrong = (
            ", ".join(f"{name} {kind}" for name, kind in sorted(expected ^ found)) or "order or nullability of columns"
        )
        raise StageError(f"{path}: schema differs: {wrong}")
    return table


def describe_file(path: Path) -> dict[str, Any]:
    """Rows and column types of a Parquet file, for the manifest."""
    file = pq.ParquetFile(path)
    return {
        "rows": file.metadata.num_rows,
        "schema": {field.name: str(field.type) for field in file.schema_arrow},
    }
