"""`provenance.json`: who computed an artifact, from what, where and in how long. Read by the report alone."""

import os
import platform
import resource
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.artifacts.manifest import PROVENANCE, read_json


class Clock:
    """Wall and core seconds since the process started, imports included, children too."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self._begin = time.monotonic() - time.process_time()  # imports before this line cost at least their CPU time

    def seconds(self) -> float:
        return time.monotonic() - self._begin

    @staticmethod
    def core_seconds() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in used)


def make_provenance(
    name: str, key: str, spec: dict, inputs: dict[str, str], clock: Clock, timings: dict[str, float], libraries: dict
) -> dict:
    """All that is known about one computation; `inputs` maps roles to sha256 of the upstream manifests."""
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
        "libraries": {library: version(library) for library in libraries},
        "slurm": os.environ.get("SLURM_JOB_ID"),
        "started": clock.started,
        "seconds": round(clock.seconds(), 2),
        "core_seconds": round(clock.core_seconds(), 2),
        "peak_bytes": peak,
        "timings": {phase: round(seconds, 3) for phase, seconds in timings.items()},
    }


def read_provenance(folder: Path) -> dict:
    """The provenance of an artifact's directory."""
    return read_json(folder / PROVENANCE)


def _git() -> dict:
    def run(*command: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(ROOT), *command], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = run("status", "--porcelain", "--untracked-files=no")
    return {"commit": run("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}
