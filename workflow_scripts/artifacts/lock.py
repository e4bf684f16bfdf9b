"""An exclusive lock on a work directory, safe against dead owners.

Two trainers on one work directory would destroy each other's checkpoints. The lock file names host, pid and SLURM
job and its mtime is the owner's heartbeat. A lock is stale when its owner ran on this host and is gone; of an owner on
another host only the heartbeat is known, and it is stale when that stopped long ago. Between jobs of one cluster a
short silence will do where SLURM says that the owner's job is over, and none where it says that the job lives, perhaps
suspended. SLURM's word alone will not: a job on a node that is cut off counts as over, and may compute on.
"""

import json
import math
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from workflow_scripts.artifacts import slurm
from workflow_scripts.artifacts.errors import StageError

HEARTBEAT_SECONDS = 15
SILENT_SECONDS = 40  # two heartbeats, and time for a shared file system to show them
STALE_SECONDS = 300


class Lock:
    """`with Lock(path): ...`; raises StageError naming the owner when a live job holds it."""

    def __init__(self, path: Path):
        self.path, self._me = path, this_process()  # once: a laptop's host name may change
        self._stop = threading.Event()

    def __enter__(self) -> "Lock":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            try:
                handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                self._wait_for_silence()
                self._evict_stale_owner()
            else:
                try:
                    os.write(handle, json.dumps(self._me).encode())
                except BaseException:  # a full disk, SIGTERM: an empty lock would keep the next attempt out
                    self.path.unlink()
                    raise
                finally:
                    os.close(handle)
                threading.Thread(target=self._beat, daemon=True).start()
                return self
        raise StageError(f"{self.path}: another job took the lock")

    def __exit__(self, *_) -> None:
        self._stop.set()
        if self._is_mine():
            self.path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):  # a file system that is away may come back
                if self._is_mine():
                    os.utime(self.path)

    def _is_mine(self) -> bool:
        """False once another host has taken an owner of long silence for dead."""
        return owner_of(self.path) == self._me

    def _wait_for_silence(self) -> None:
        """Where SLURM says that the owner's job is over, see whether its lock still beats."""
        owner, silence = owner_of(self.path), _silence(self.path)
        if owner is None or _is_here(owner) or silence >= SILENT_SECONDS or not _is_over(owner):
            return
        while silence < SILENT_SECONDS:
            time.sleep(1)
            before, silence = silence, _silence(self.path)
            if silence < before:
                return

    def _evict_stale_owner(self) -> None:
        owner = owner_of(self.path)
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
    owner = owner_of(path)
    if owner is None:
        return False
    if _is_here(owner):
        return not is_gone(owner)
    silence = _silence(path)
    if silence < SILENT_SECONDS:
        return True
    over = _is_over(owner)
    return silence < STALE_SECONDS if over is None else not over


def owner_of(path: Path) -> dict | None:
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


def this_process() -> dict:
    """What tells this process from all others, as JSON."""
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "pid": pid,
        "started": _started(pid),
        "user": os.getuid(),
        "slurm": slurm.own_id(),
        "cluster": os.environ.get("SLURM_CLUSTER_NAME"),
    }


def is_gone(owner: dict) -> bool:
    """Whether the owner ran on this host and is dead, its pid perhaps taken by another process since."""
    if not _is_here(owner):
        return False
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return owner.get("started") != _started(owner["pid"])


def _is_here(owner: dict) -> bool:
    return owner.get("host") == socket.gethostname()


def _is_over(owner: dict) -> bool | None:
    """Whether SLURM says that the owner's job has no processes any more; None where it cannot tell.

    It can tell a job of the same cluster about another job of the same user: those of others may be hidden.
    """
    me = this_process()
    if not me["slurm"] or not owner.get("slurm") or any(owner.get(part) != me[part] for part in ("user", "cluster")):
        return None
    if owner["slurm"] == me["slurm"]:  # requeued
        return True
    try:
        jobs = slurm.query(f"--user={me['user']}")
    except slurm.SlurmError:
        return None
    return not any(job.id == owner["slurm"] and job.state in slurm.WITH_PROCESSES for job in jobs)


def _started(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot (Linux), None where the system does not tell.

    None of a dead one, too, whose parent has not asked for its status: in a container nobody may ever do.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        return None
