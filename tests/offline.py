"""Run the project cut off from every network but loopback, and read who talked to whom."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.project import Project

HOOK = Path(__file__).parent / "network"


class Note(NamedTuple):
    """`what` is started, near (loopback) or refused."""

    what: str
    command: str
    address: str


def cut_off(project: Project, log: Path) -> dict[str, str]:
    """The variables under which all Python processes write to `log` and reach nothing beyond loopback."""
    return {"PYTHONPATH": os.pathsep.join((str(HOOK), project.environment["PYTHONPATH"])), "NETWORK_LOG": str(log)}


def notes(log: Path) -> list[Note]:
    """What the processes noted."""
    return [Note(*line.split("\t")) for line in log.read_text().splitlines()]


def own_network() -> list[str]:
    """What to put before a command so that its only network is a loopback of its own; empty where that is denied."""
    front = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if not (shutil.which("unshare") and shutil.which("ip")):
        return []
    return front if subprocess.run([*front, "true"], capture_output=True).returncode == 0 else []
