"""Whether a judge passed its audit's gate: lets an arm run or stops it, and decides no byte of it (INERT)."""

from collections.abc import Iterable
from typing import Any

from workflow_scripts.artifacts import StageError


def require_passed_gate(stage: Any) -> None:
    """Stops with one line that names the numbers that missed, unless the audit let this judge through."""
    from workflow_scripts.artifacts.schemas import GATE

    numbers = missed(stage.read("audit", "gate.parquet", GATE).to_pylist())
    if numbers:
        raise StageError(f"the judge failed its audit ({numbers}): no arm may train on it")


def missed(rows: Iterable[dict[str, Any]]) -> str:
    """The numbers that missed, for one line: "kappa 0.412, at least 0.6 asked for; ..."; empty if none did."""
    return "; ".join(
        f"{row['threshold']} {row['value']:.3g}, {row['bound']} {row['limit']:g} asked for"
        for row in rows
        if not row["passed"]
    )
