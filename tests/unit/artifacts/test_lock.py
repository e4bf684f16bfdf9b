"""Two jobs never share a work directory; a dead owner never blocks one."""

import errno
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from workflow_scripts.artifacts import StageError
from workflow_scripts.artifacts.lock import SILENT_SECONDS, STALE_SECONDS, Lock, is_held, this_process


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


def test_the_lock_of_a_killed_process_that_nobody_has_reaped_is_taken_over(tmp_path):
    """As in a container whose first process is no init."""
    imports = "from pathlib import Path; from workflow_scripts.artifacts.lock import Lock; import time"
    code = f"{imports}; Lock(Path({str(tmp_path / 'lock')!r})).__enter__(); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code]) as owner:
        while not (tmp_path / "lock").is_file() or not (tmp_path / "lock").read_text():
            time.sleep(0.01)
        owner.kill()
        while is_held(tmp_path / "lock"):
            time.sleep(0.01)
        with Lock(tmp_path / "lock"):
            assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_a_lock_that_cannot_be_written_is_not_left(tmp_path, monkeypatch):
    """A full disk has room for the file's name, and not for its bytes."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"), Lock(tmp_path / "lock"):
        pass
    assert not (tmp_path / "lock").exists()


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


@pytest.fixture
def in_slurm(monkeypatch):
    """This process as job 12 of a cluster."""
    for name, value in {"SLURM_JOB_ID": "12", "SLURM_CLUSTER_NAME": "pretend"}.items():
        monkeypatch.setenv(name, value)


def foreign_lock(path, silence, **changes):
    """The lock of a job of ours on another host, `silence` seconds after its last heartbeat."""
    path.write_text(json.dumps({**this_process(), "host": "elsewhere", **changes}))
    os.utime(path, (0, time.time() - silence))


def test_a_requeued_job_takes_over_its_own_silent_lock(tmp_path, in_slurm):
    foreign_lock(tmp_path / "lock", SILENT_SECONDS + 1)
    with Lock(tmp_path / "lock"):
        pass
    foreign_lock(tmp_path / "lock", SILENT_SECONDS - 2)
    began = time.monotonic()
    with Lock(tmp_path / "lock"):
        assert 1 < time.monotonic() - began < 10  # it waited for the rest of the silence


def test_a_lock_that_beats_is_held_whatever_slurm_says(tmp_path, in_slurm):
    """The node was cut off, the job requeued, and its first processes compute on."""
    path = tmp_path / "lock"
    foreign_lock(path, 10)
    beat = "import os, sys, time\nwhile True: os.utime(sys.argv[1]); time.sleep(2)"
    owner = subprocess.Popen([sys.executable, "-c", beat, str(path)])
    try:
        with pytest.raises(StageError, match="in use by process"), Lock(path):
            pass
    finally:
        owner.kill()


@pytest.mark.parametrize("changes", [{"user": -1}, {"cluster": "other"}, {"slurm": None}, {"slurm": "11"}])
def test_a_job_that_slurm_cannot_speak_for_has_the_long_silence(tmp_path, in_slurm, monkeypatch, changes):
    """Another user's, another cluster's, none, or one that it cannot be asked about: there is no squeue."""
    monkeypatch.setenv("PATH", str(tmp_path))
    foreign_lock(tmp_path / "lock", SILENT_SECONDS + 60, **changes)
    assert is_held(tmp_path / "lock")
    foreign_lock(tmp_path / "lock", STALE_SECONDS + 1, **changes)
    assert not is_held(tmp_path / "lock")
