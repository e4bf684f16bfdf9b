"""Debian's SLURM and munge: found, or installed where that is allowed."""

import os
import shutil
import subprocess

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
PACKAGES = ("slurm-wlm", "munge")


class Unavailable(Exception):
    """No test cluster can be had on this machine; the message says in one line why."""


def install() -> None:
    """Make sure of SLURM's programs; installs the packages as root where apt-get is present. Raises Unavailable."""
    if not missing():
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable(f"no {missing()[0]} on this machine: needs the packages {' and '.join(PACKAGES)}")
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(["apt-get", "-qq", *arguments], env=environment, text=True, capture_output=True)
        if done.returncode:
            raise Unavailable(f"apt-get {arguments[0]} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    if missing():
        raise Unavailable(f"{missing()[0]} is missing though {' and '.join(PACKAGES)} are installed")


def missing() -> list[str]:
    return [name for name in PROGRAMS if not which(name)]


def which(name: str) -> str | None:
    """Path of a program; daemons lie where not every PATH looks."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
