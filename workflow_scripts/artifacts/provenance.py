"""`provenance.json`: who computed an artifact, from what, where, at what cost. Read by the report and the plan."""

import platform
import resource
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.artifacts.manifest import LOCK, PROVENANCE, read_json
from workflow_scripts.artifacts.slurm import own_id
from workflow_scripts.artifacts.spending import Spending

DIGITS = 12  # of the digests of code parts: enough to tell a change


def make_provenance(
    identity: str, spec: dict, inputs: dict[str, str], spending: Spending, timings: dict[str, float], parts: dict
) -> dict:
    """All that is known about one computation.

    `inputs` maps roles to sha256 of the upstream manifests; `parts` is what the code's fingerprint digests.
    """
    name, _, key = identity.rpartition("-")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "stage": spec["stage"],
        "name": name,
        "key": key,
        "spec": spec,
        "inputs": inputs,
        "git": _git(),
        "host": socket.gethostname(),
        "device": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "libraries": {library: version(library) for library in parts["libraries"]},
        "code": {kind: _short(part) if kind != "libraries" else part for kind, part in parts.items()},
        "slurm": own_id(),
        "started": spending.started,
        **spending.total(),
        "peak_bytes": peak,
        "timings": {phase: round(seconds, 3) for phase, seconds in timings.items()},
    }


def read_provenance(folder: Path) -> dict:
    """The provenance of an artifact's directory."""
    return read_json(folder / PROVENANCE)


def _short(digests: dict[str, str]) -> dict[str, str]:
    return {name: text[:DIGITS] for name, text in digests.items()}


def _git() -> dict:
    def run(*command: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(ROOT), *command], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = run("status", "--porcelain", "--untracked-files=no", "--", ".", f":(exclude,glob)**/{LOCK}")
    return {"commit": run("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}
