"""A third attempt that would get no further fails at once; whatever gives it a chance lets it start."""

import time

import pytest

from workflow_scripts.artifacts.budget import Budget
from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.workdir import WorkDir

MINUTES = 0.001


@pytest.fixture
def work(tmp_path):
    made = WorkDir(tmp_path, "train_policy", "arm-0000000000")
    made.start()
    return made


def attempt(work, minutes=MINUTES):
    """One that uses up its budget: its timer has written the record."""
    record = work.overrun
    before = record.stat().st_mtime_ns if record.is_file() else 0
    Budget(minutes).watch(work, "train_policy")
    end = time.monotonic() + 30
    while not record.is_file() or record.stat().st_mtime_ns == before:
        assert time.monotonic() < end
        time.sleep(0.005)


def save(work, name):
    (work.checkpoints / name).mkdir()
    (work.checkpoints / name / "state.json").write_text("{}")


def test_the_third_attempt_without_progress_fails_until_it_has_more_time(work):
    save(work, "step-00000002")
    attempt(work)
    attempt(work)
    line = r"2 attempts used up 0.001 minutes and got no further than step-00000002/state.json \(1 in all\): raise"
    with pytest.raises(StageError, match=line):
        attempt(work)
    attempt(work, 2 * MINUTES)


def test_a_new_checkpoint_is_progress_and_a_half_written_one_or_a_log_is_not(work):
    attempt(work)
    attempt(work)
    save(work, ".tmp-step-00000002")
    (work.checkpoints / "judge.server.log").write_text("started")
    with pytest.raises(StageError, match="no further than no checkpoint"):
        attempt(work)
    save(work, "step-00000002")
    attempt(work)
    attempt(work)


def test_an_attempt_that_ended_before_its_time_says_nothing(work):
    for _ in range(3):
        Budget(60).watch(work, "train_policy")
    assert not work.overrun.exists()
    assert Budget(0).deadline is None
