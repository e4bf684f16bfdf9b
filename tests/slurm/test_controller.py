"""A controller that dies, and one that could never see its jobs end."""

import os
import shutil
import signal

import pytest

from tests.slurm.processes import wait_until

ARM = "grpo.rule.none"


@pytest.fixture
def untrained(submission):
    """The finished project but for one arm."""
    shutil.rmtree(arm(submission))
    (work,) = (submission.project.root / "results" / "work" / "train_policy").glob(f"*{ARM}*")
    shutil.rmtree(work)
    return submission


def arm(submission):
    (folder,) = [folder for folder in submission.project.artifacts("policies") if ARM in folder.name]
    return folder


def test_after_a_dead_controller_no_job_runs_twice(untrained, submitted):
    controller = untrained.start("policies")
    (job,) = wait_until(lambda: [row for row in untrained.jobs() if row["state"] == "RUNNING"], 120, "a running job")
    os.killpg(controller.pid, signal.SIGKILL)
    controller.wait()

    assert untrained.run("policies") == 1
    (line,) = [line for line in untrained.log.splitlines() if "are in the queue" in line]
    assert f"scancel {job['id']}" in line and "ADOPT=1" in line and "Traceback" not in untrained.log

    assert untrained.run("policies", ADOPT="1") == 0, untrained.log[-3000:]
    assert f"waiting for jobs of this directory: {job['id']}" in untrained.log
    (adopted, *later) = untrained.jobs()
    assert adopted["id"] == job["id"] and adopted["state"] == "COMPLETED"
    assert (arm(untrained) / "manifest.json").read_bytes() == (arm(submitted) / "manifest.json").read_bytes()
    log = untrained.project.root / "results" / "logs" / "train_policy" / f"{arm(untrained).name}.log"
    assert not later or "train_policy: restored" in log.read_text()  # what the adopted job computed is computed once


def test_without_accounting_one_line_says_what_to_set(untrained):
    """The executor would ask sacct for minutes, and not heed Ctrl-C."""
    untrained.project.edit("config/profiles/slurm/profile.v9+.yaml", "slurm-status-command: squeue", "# nothing")
    assert untrained.run("policies") == 1
    assert "slurm-status-command: squeue" in untrained.log and "Traceback" not in untrained.log
    assert not untrained.jobs()
