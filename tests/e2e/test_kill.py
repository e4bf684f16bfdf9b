"""A trainer killed with SIGKILL at any point ends, run again, with the bytes of the uninterrupted run."""

import json
import os
import re
import signal
import time

import pyarrow.parquet as pq
import pytest

from tests.e2e.arm import Arm

# (point, how often it was come to when the kill strikes) -> step of the checkpoint that the next run takes up
KILLS = {
    ("rollout", 4): 2,
    ("update", 8): 2,
    ("checkpoint", 1): None,
    ("checkpoint", 2): 2,
    ("renamed", 2): 4,
}


@pytest.fixture(scope="module")
def uninterrupted(arm, tmp_path_factory) -> dict[str, bytes]:
    home = tmp_path_factory.mktemp("uninterrupted")
    output = arm.run(home)
    assert "resumed" not in output
    metrics = pq.read_table(arm.folders(home)[0] / "metrics.parquet").to_pandas()
    assert (metrics["grad_norm"] > 0).all() and (metrics["selected"] > 0).any()  # else a resume has nothing to restore
    files = arm.files(home)
    assert {"model/model.safetensors", "validation.parquet", "samples.parquet"} < set(files)
    return files


@pytest.mark.parametrize(("point", "count"), KILLS, ids=str)
def test_a_killed_trainer_ends_with_the_same_bytes(arm, uninterrupted, tmp_path, point, count):
    arm.run(tmp_path, kill=(point, count))
    checkpoints = arm.folders(tmp_path)[1] / "checkpoints"
    left = sorted(path.name for path in checkpoints.iterdir())
    if point == "checkpoint":
        assert f".tmp-step-{2 * count:08d}" in left
    if point == "renamed":
        assert {"step-00000002", "step-00000004"} <= set(left)
    assert not arm.folders(tmp_path)[0].exists()

    output, resumed = arm.run(tmp_path), KILLS[point, count]
    assert re.findall(r"^resumed after step (\d+) of 6$", output, re.MULTILINE) == ([str(resumed)] if resumed else [])
    assert arm.files(tmp_path) == uninterrupted
    assert not checkpoints.exists()


# SIGTERM at the same points -> step after which the trainer saves and ends, None where it is over already
TERMINATIONS = {
    ("rollout", 3): 3,
    ("update", 5): 3,
    ("checkpoint", 1): 3,  # while step 2 is saved: step 3 is the next one to end
    ("renamed", 2): 5,
    ("publish", 3): None,
}


@pytest.mark.parametrize(("point", "count"), TERMINATIONS, ids=str)
def test_a_terminated_trainer_saves_its_step_and_ends_with_the_same_bytes(arm, uninterrupted, tmp_path, point, count):
    saved = TERMINATIONS[point, count]
    last = arm.run(tmp_path, kill=(point, count), by="SIGTERM").splitlines()[-1]
    if saved:
        assert last == f"train_policy: terminated after step {saved} of 6: saved, run it again"
        assert f"resumed after step {saved} of 6" in arm.run(tmp_path)
    else:
        assert last == "train_policy: terminated"
        assert arm.run(tmp_path).startswith("train_policy: restored ")
    assert arm.files(tmp_path) == uninterrupted


def test_a_retry_that_would_get_no_further_fails_at_once_until_it_has_more_time(arm, uninterrupted, tmp_path):
    """Two walltimes that end before the first checkpoint; a real one, of a few seconds, kills as SLURM does."""
    record = arm.folders(tmp_path)[1] / "overrun.json"
    for attempt in (1, 2):
        trainer = arm.start(tmp_path, kill=("rollout", 1), by="SIGSTOP", minutes=0.01)  # a step that takes too long
        wait_for(lambda n=attempt: record.is_file() and json.loads(record.read_text())["attempts"] == n)
        trainer.kill()
        trainer.communicate()
    third = arm.start(tmp_path, minutes=0.01)
    output, _ = third.communicate(timeout=60)
    assert third.returncode == 1
    assert re.fullmatch(
        r"train_policy: \S+: 2 attempts used up 0.01 minutes and got no further than no checkpoint: "
        r"raise placement.train_policy.minutes, or the profile's runtime\n",
        output,
    )
    arm.run(tmp_path, minutes=5)
    assert arm.files(tmp_path) == uninterrupted and not record.exists()


def test_a_trainer_killed_again_and_again_ends_with_the_same_bytes(arm, uninterrupted, tmp_path):
    """Each run gets a little further: the kills strike in the first attempt, and in two resumed ones."""
    for kill in (("renamed", 1), ("update", 2), ("checkpoint", 1)):
        arm.run(tmp_path, kill)
    assert "resumed after step 2 of 6" in arm.run(tmp_path)
    assert arm.files(tmp_path) == uninterrupted


def test_a_second_trainer_on_a_held_work_directory_exits_at_once(arm, uninterrupted, tmp_path):
    """One line that names the holder; the holder, taken up again, ends as if nothing had been."""
    holder = arm.start(tmp_path)
    try:
        pid = wait_for_lock(arm.folders(tmp_path)[1] / "lock")
        os.kill(pid, signal.SIGSTOP)
        second = arm.start(tmp_path)
        output, _ = second.communicate(timeout=60)
        assert second.returncode == 1
        assert re.fullmatch(rf"train_policy: \S+: in use by process {pid} on \S+; wait for it, or end it\n", output)
        os.kill(pid, signal.SIGCONT)
        assert holder.wait(timeout=120) == 0
    finally:
        if holder.poll() is None:
            holder.kill()
        holder.communicate()
    assert arm.files(tmp_path) == uninterrupted


def test_how_often_it_is_saved_decides_no_byte(arm, uninterrupted, tmp_path):
    """Why `checkpoint_every` is placement, and in no key."""
    often = Arm(arm.project, ".teacher.clip_cov.", checkpoint_every=1)
    often.run(tmp_path)
    assert often.files(tmp_path) == uninterrupted


def wait_for_lock(lock) -> int:
    """Pid in the lock file, as soon as it is written."""
    wait_for(lambda: lock.is_file() and lock.read_text().endswith("}"))
    return json.loads(lock.read_text())["pid"]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the trainer did not get so far"
        time.sleep(0.002)
