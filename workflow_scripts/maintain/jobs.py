"""`make jobs`: from an artifact to its job and its logs, with SLURM and without."""

import argparse
import fnmatch
import json
from contextlib import suppress
from pathlib import Path

from workflow_scripts.artifacts import slurm
from workflow_scripts.artifacts.lock import is_held, owner_of
from workflow_scripts.artifacts.manifest import PROVENANCE, read_json
from workflow_scripts.config.artifact import STABLE, Artifact
from workflow_scripts.config.graph import Graph
from workflow_scripts.controller import incomplete

SLURM_LOGS = Path(".snakemake/slurm_logs")
COLUMNS = ("state", "stage", "artifact", "SLURM", "host", "log", "SLURM log")


def jobs(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """One line per artifact of the config, or per one whose name matches `--name`."""
    queue, submitted, rows = _queue(), _submitted(), [COLUMNS]
    for artifact in graph.artifacts:
        if fnmatch.fnmatch(artifact.identity, args.name) or fnmatch.fnmatch(artifact.name, args.name):
            queued = queue.get(submitted.get(f"{results}/{artifact.manifest}", ""))
            rows.append(_row(artifact, results, queued or queue.get(_comment(artifact))))
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _row(artifact: Artifact, results: Path, queued: slurm.Job | None) -> list[str]:
    """What COLUMNS say of one artifact; `-` where there is nothing to say."""
    lock = results / "work" / artifact.stage / artifact.identity / "lock"
    provenance = (results / artifact.manifest).with_name(PROVENANCE)
    state, job, host = "missing", None, None
    if is_held(lock):
        owner = owner_of(lock) or {}
        state, job, host = "running", owner.get("slurm"), owner.get("host")
    elif (results / artifact.manifest).is_file():
        made = read_json(provenance) if provenance.is_file() else {}
        state, job, host = "present", made.get("slurm"), made.get("host")
    elif queued:
        state, job, host = queued.state.lower(), queued.id, queued.node
    name = artifact.stage if artifact.stage in STABLE else f"{artifact.stage}/{artifact.identity}"
    log = results / "logs" / f"{name}.log"
    cells = (state, artifact.stage, artifact.identity, job, host, log if log.is_file() else None)
    return [str(cell or "-") for cell in (*cells, _slurm_log(artifact, job))]


def _slurm_log(artifact: Artifact, job: str | None) -> Path | None:
    """What SLURM wrote: of a job in a folder of the artifact's, of an array's task beside those of its rule."""
    folder = SLURM_LOGS / f"rule_{artifact.stage}"
    own = folder if artifact.stage in STABLE else folder / artifact.identity
    of_job = [path for path in (own / f"{job}.log", folder / f"{job}.log") if path.is_file()]
    earlier = sorted(own.glob("*.log"), key=lambda path: path.stat().st_mtime)
    return (of_job or earlier[-1:] or [None])[0]


# ------------------------------------------------------------------------------------------------- the queue
def _queue() -> dict[str, slurm.Job]:
    """Live jobs of this directory, by id and, but for arrays, by comment; nothing where there is no SLURM."""
    try:
        live = slurm.live_jobs_here()
    except slurm.SlurmError:
        return {}
    return {job.id: job for job in live} | {job.comment: job for job in live if "_" not in job.id}


def _comment(artifact: Artifact) -> str:
    """How the executor names a job; all tasks of an array have the comment of the first."""
    return f"rule_{artifact.stage}" + ("" if artifact.stage in STABLE else f"_wildcards_{artifact.identity}")


def _submitted() -> dict[str, str]:
    """Ids of submitted jobs by the path of their manifest, as Snakemake keeps them until a job starts."""
    found = {}
    for path, marker in incomplete().items():
        with suppress(OSError, ValueError):  # it has just gone
            found[path] = json.loads(marker.read_text() or "{}").get("external_jobid") or ""
    return found
