"""Where the time of one RL step goes: `python tests/benchmarks/step_time.py RESULTS/policies/ARM...`

Prints milliseconds per step and shares of the arms' wall time, from their `provenance.json`. What no phase accounts
for (imports, loading, writing the artifact) is `other`. Validation and checkpoints do not happen at every step; their
time is spread over all. A resumed arm knows only the phases of its last attempt: time an uninterrupted one.
"""

import sys
from pathlib import Path

import pyarrow.parquet as pq

from workflow_scripts.artifacts.provenance import read_provenance

ORDER = ("generation", "old log-probabilities", "reward", "update", "validation", "checkpoint")


def main(folders: list[str]) -> None:
    for folder in map(Path, folders):
        provenance, steps = read_provenance(folder), pq.read_metadata(folder / "metrics.parquet").num_rows
        phases, total = split(provenance), provenance["seconds"]
        print(f"{provenance['name']}: {steps} steps in {total:.1f} s, {1000 * total / steps:.1f} ms per step")
        for phase, seconds in phases.items():
            print(f"  {phase:24}{1000 * seconds / steps:9.1f} ms{seconds / total:8.1%}")


def split(provenance: dict) -> dict[str, float]:
    """Seconds by phase, the named ones first, then what else was timed, the rest of the wall time last."""
    timings = provenance["timings"]
    phases = {phase: timings.get(phase, 0.0) for phase in ORDER} | timings
    return phases | {"other": provenance["seconds"] - sum(timings.values())}


if __name__ == "__main__":
    main(sys.argv[1:])
