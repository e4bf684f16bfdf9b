"""One arm on two nodes: srun + torchrun, one rank per node, gloo, ZeRO-3."""

import os
import shutil
import signal

import pyarrow.parquet as pq
import pytest
import yaml

from tests.project import ROOT, Project
from tests.slurm.processes import having, runs, wait_until
from tests.slurm.submission import Submission

ARM = "grpo.rule.none"


@pytest.fixture(scope="module")
def copies(submitted, tmp_path_factory):
    """A function that makes a copy in which only one arm is left to train, on two nodes."""

    def copy(name):
        root = tmp_path_factory.mktemp(name) / "project"
        shutil.copytree(submitted.project.root, root, symlinks=True)
        project = Project(root, source=ROOT)
        config = project.settings()
        config["algorithms"]["grpo"]["update"] |= {"backend": "zero3"}
        config["environment"] = "deepspeed"
        config["placement"]["train_policy"] = {"nodes": 2, "gpus": 1, "memory_gb": 3, "checkpoint_every": 1}
        config["studies"]["reward_by_entropy"] |= {"rewards": ["rule"], "entropy": ["none"]}
        project.config.write_text(yaml.safe_dump(config, sort_keys=False))
        return Submission(project, submitted.cluster)

    return copy


@pytest.fixture(scope="module")
def undisturbed(copies):
    submission = copies("undisturbed")
    assert submission.run("policies") == 0, submission.log[-3000:]
    return submission


def arms(submission):
    """Folders of the arm as one process and as two ranks trained it."""
    one, two = sorted(
        (folder for folder in submission.project.artifacts("policies") if ARM in folder.name),
        key=lambda folder: (folder / "manifest.json").stat().st_mtime_ns,
    )
    return one, two


def test_two_nodes_train_the_arm_that_one_trains(undisturbed):
    """Same questions, same responses and, up to rounding, the same figures."""
    (job,) = undisturbed.jobs()
    assert (job["rule"], job["nodes"], job["node_list"]) == ("train_policy", "2", "gpu[1-2]")
    assert (job["gres"], job["cpus"], job["state"]) == ("gres:gpu:h100:1", "2", "COMPLETED")
    one, two = arms(undisturbed)
    ours, theirs = (pq.read_table(folder / "metrics.parquet").to_pandas() for folder in (two, one))
    for column in ("reward", "entropy_all", "grad_norm", "length"):
        assert ours[column].to_numpy() == pytest.approx(theirs[column].to_numpy(), rel=1e-4), column
    answers = [pq.read_table(folder / "samples.parquet").column("response").to_pylist() for folder in (two, one)]
    assert answers[0] == answers[1]


def test_a_killed_rank_ends_the_other_and_costs_nothing(copies, undisturbed):
    """Rank 0 hangs when rank 1 is killed, so that only srun can end it; the next job goes on, to the same bytes."""
    submission = copies("killed")
    controller = submission.start("policies")
    job = wait_until(submission.jobs, 120, "a job")[0]["id"]
    work = submission.project.root / "results" / "work" / "train_policy"
    wait_until(lambda: any(work.glob(f"*{ARM}*/checkpoints/step-*/state.json")), 300, "a checkpoint")
    ranks = {
        environment["RANK"]: (pid, environment)
        for pid, environment in having(SLURM_JOB_ID=job, WORLD_SIZE="2").items()
        if "RANK" in environment and runs(pid, "workflow_scripts.stages.train_policy")
    }
    assert sorted(environment["SLURMD_NODENAME"] for _, environment in ranks.values()) == ["gpu1", "gpu2"]
    first, second = ranks["0"][0], ranks["1"][0]
    os.kill(first, signal.SIGSTOP)
    os.kill(second, signal.SIGKILL)
    assert controller.wait(120) == 1, submission.log[-3000:]
    assert [row["state"] for row in submission.jobs()] == ["FAILED"] and not having(SLURM_JOB_ID=job)

    assert submission.run("policies") == 0, submission.log[-3000:]
    (_, ours), (_, theirs) = arms(submission), arms(undisturbed)
    assert ours.name == theirs.name
    assert (ours / "manifest.json").read_bytes() == (theirs / "manifest.json").read_bytes()
    log = submission.project.root / "results" / "logs" / "train_policy" / f"{ours.name}.log"
    assert "resumed after step" in log.read_text()
