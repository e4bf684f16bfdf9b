"""An exclusive lock on a work directory, safe against dead owners.

Two trainers on one work directory would destroy each other's checkpoints. The lock file names host, pid and SLURM
job and its mtime is the owner's heartbeat. A lock is stale when its owner ran on this host and is gone; of an owner on
another host only the heartbeat is known, and it is stale when that stopped long ago.
"""

import json
import math
import os
import socket
import threading
import time
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError

HEARTBEAT_SECONDS = 15
STALE_SECONDS = 300


class Lock:
    """`with Lock(path): ...`; raises StageError naming the owner when a live job holds it."""

    def __init__(self, path: Path):
        self.path = path
        self._stop = threading.Event()

    def __enter__(self) -> "Lock":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            try:
                handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                self._evict_stale_owner()
            else:
                os.write(handle, json.dumps(_me()).encode())
                os.close(handle)
                threading.Thread(target=self._beat, daemon=True).start()
                return self
        raise StageError(f"{self.path}: another job took the lock")

    def __exit__(self, *_) -> None:
        self._stop.set()
        if self._is_mine():
            self.path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS) and self._is_mine():
            os.utime(self.path)

    def _is_mine(self) -> bool:
        """False once another host has taken an owner of long silence for dead."""
        return _owner(self.path) == _me()

    def _evict_stale_owner(self) -> None:
        owner = _owner(self.path)
        if owner is None:
            return
        if is_held(self.path):
            job = f" (SLURM job {owner['slurm']})" if owner.get("slurm") else ""
            who = f"process {owner.get('pid', '?')} on {owner.get('host', '?')}{job}"
            raise StageError(f"{self.path.parent}: in use by {who}; wait for it, or end it")
        # Of two jobs that find the same dead owner one wins: the rename of the other may catch the new lock
        # and gives it back.
        grave = self.path.with_name(f".{self.path.name}.{os.getpid()}.stale")
        try:
            self.path.rename(grave)
        except FileNotFoundError:
            return
        if json.loads(grave.read_text() or "{}") != owner:
            grave.rename(self.path)
            raise StageError(f"{self.path.parent}: another job took the lock")
        grave.unlink(missing_ok=True)


def is_held(path: Path) -> bool:
    """Whether a lock file stands here and its owner lives, as far as can be told from this host."""
    owner = _owner(path)
    if owner is None:
        return False
    here = owner.get("host") == socket.gethostname()
    return not _is_gone(owner) if here else _silence(path) < STALE_SECONDS


def _owner(path: Path) -> dict | None:
    """What a lock file says of its owner; None where there is none, or it is half written."""
    try:
        return json.loads(path.read_text() or "{}")
    except (FileNotFoundError, ValueError):
        return None


def _silence(path: Path) -> float:
    """Seconds since the owner's last heartbeat; endless once the lock is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _me() -> dict:
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "started": _started(pid), "slurm": os.environ.get("SLURM_JOB_ID")}


def _is_gone(owner: dict) -> bool:
    """Whether the owner ran on this host and is dead, its pid perhaps taken by another process since."""
    if owner.get("host") != socket.gethostname():
        return False
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return owner.get("started") != _started(owner["pid"])


def _started(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot (Linux), None where the system does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
