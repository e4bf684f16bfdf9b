"""Two jobs never share a work directory; a dead owner never blocks one."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from workflow_scripts.artifacts import StageError
from workflow_scripts.artifacts.lock import STALE_SECONDS, Lock, is_held


def test_a_second_job_exits_and_names_the_owner(tmp_path):
    with (
        Lock(tmp_path / "lock"),
        pytest.raises(StageError, match=f"in use by process {os.getpid()}"),
        Lock(tmp_path / "lock"),
    ):
        pass
    assert not (tmp_path / "lock").exists()


def test_another_process_is_kept_out(tmp_path):
    imports = "from pathlib import Path; from workflow_scripts.artifacts.lock import Lock"
    code = f"{imports}; Lock(Path({str(tmp_path / 'lock')!r})).__enter__()"
    with Lock(tmp_path / "lock"):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and "in use by process" in done.stderr


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / "lock").write_text(json.dumps({"host": socket.gethostname(), "pid": dead.pid, "started": "1"}))
    with Lock(tmp_path / "lock"):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_a_foreign_lock_is_stale_only_after_its_heartbeat_stopped(tmp_path):
    path = tmp_path / "lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "slurm": "77"}))
    with pytest.raises(StageError, match="SLURM job 77"), Lock(path):
        pass
    old = time.time() - STALE_SECONDS - 1
    os.utime(path, (old, old))
    with Lock(path):
        pass


def test_a_silent_owner_on_this_host_still_holds_its_lock(tmp_path):
    """A suspended process sends no heartbeat and wakes up again: here, where its pid can be seen, it is not evicted."""
    with Lock(tmp_path / "lock"):
        os.utime(tmp_path / "lock", (0, time.time() - 2 * STALE_SECONDS))
        assert is_held(tmp_path / "lock")
        with pytest.raises(StageError, match="in use by process"), Lock(tmp_path / "lock"):
            pass


def test_an_owner_that_was_evicted_leaves_its_successor_alone(tmp_path):
    successor = {"host": "elsewhere", "pid": 1}
    with Lock(tmp_path / "lock"):
        (tmp_path / "lock").write_text(json.dumps(successor))
    assert json.loads((tmp_path / "lock").read_text()) == successor
