"""A stage under torchrun: two ranks compute one artifact, the first one writes it. Real snakemake, DeepSpeed, gloo."""

import os
import re
import shutil
import signal
import time

import pyarrow.parquet as pq
import pytest
import torch
import yaml
from safetensors.torch import load_file

from tests.e2e.arm import Arm
from tests.project import Project

# What a model needs that is too large for one GPU.
LEAN = {"backend": "zero3", "offload": "all", "activation_checkpointing": True, "packing": True}
TWO = {"gpus": 2, "threads": 2, "minutes": 20}


@pytest.fixture
def two_ranks(project):
    """The micro project, its arms trained by ZeRO-3 on two processes."""
    config = project.settings()
    config["algorithms"]["grpo"]["update"] = {**config["algorithms"]["grpo"]["update"], **LEAN}
    config["environment"] = "deepspeed"
    config["placement"] = {"train_policy": TWO}
    config["studies"]["reward_by_entropy"] |= {"rewards": ["judge_soft"], "entropy": ["none"]}
    project.config.write_text(yaml.safe_dump(config, sort_keys=False))
    return project


def test_two_ranks_train_the_arm_that_one_trains(two_ranks):
    """Same questions, same responses and, up to rounding, the same rewards; restored in seconds when it is lost."""
    name = "judge_soft.none"
    (alone,) = [folder for folder in two_ranks.artifacts("policies") if name in folder.name]
    assert two_ranks.outcomes("policies") == {("train_policy", "computed"): 1}
    (together,) = [folder for folder in two_ranks.artifacts("policies") if name in folder.name and folder != alone]
    one, two = (pq.read_table(folder / "metrics.parquet").to_pandas() for folder in (alone, together))
    for column in ("reward", "entropy_all", "grad_norm", "length"):
        assert two[column].to_numpy() == pytest.approx(one[column].to_numpy(), rel=1e-4), column
    samples = [pq.read_table(folder / "samples.parquet").column("response").to_pylist() for folder in (alone, together)]
    assert samples[0] == samples[1]
    assert {path.name for path in together.iterdir()} == {path.name for path in alone.iterdir()}
    assert difference(alone, together) < 1e-4

    (together / "manifest.json").unlink()
    assert two_ranks.outcomes("policies") == {("train_policy", "restored"): 1}
    assert two_ranks.plan("policies") == {}


def test_two_ranks_sample_the_answers_that_one_samples(project):
    """A part that is kept is not sampled again: the ranks agree on that too."""
    folders = project.artifacts("evaluations")
    (alone,) = [folder for folder in folders if folder.name.startswith("answers.base.s0-")]
    shutil.rmtree(project.results / "work" / "parts" / "sample_answers")
    shutil.rmtree(project.results / "work" / "sample_answers")
    kept = (alone / "world.parquet").read_bytes()
    shutil.rmtree(alone)
    project.set("placement", {"sample_answers": {"gpus": 2}})
    asked = str((alone / "manifest.json").relative_to(project.root))
    assert project.outcomes(asked) == {("sample_answers", "computed"): 1}
    assert (alone / "world.parquet").read_bytes() == kept

    shutil.rmtree(project.results / "work" / "sample_answers")
    shutil.rmtree(alone)
    assert project.outcomes(asked) == {("sample_answers", "computed"): 1}
    assert "kept part world-" in next(project.results.glob("logs/sample_answers/answers.base.s0-*.log")).read_text()


def difference(one, two):
    """Relative difference of two exported models, each taken as one vector."""
    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (one, two))
    assert ours.keys() == theirs.keys()
    first, second = (torch.cat([found[name].flatten() for name in sorted(found)]) for found in (ours, theirs))
    return float((first - second).norm() / first.norm())


def judges(project):
    return [folder for folder in project.artifacts("judges") if folder.name.startswith("judge.")]


def test_two_ranks_distil_the_judge_that_one_distils(two_ranks):
    (alone,) = judges(two_ranks)
    two_ranks.set("placement.distill_judge", TWO)
    for setting, value in LEAN.items():
        two_ranks.set(f"judges.judge.training.{setting}", value)
    assert two_ranks.outcomes("judges")["distill_judge", "computed"] == 1
    (together,) = [folder for folder in judges(two_ranks) if folder != alone]
    one, two = (pq.read_table(folder / "training.parquet").to_pandas() for folder in (alone, together))
    assert two["loss"].to_numpy() == pytest.approx(one["loss"].to_numpy(), rel=1e-4)
    assert {path.name for path in (together / "model").iterdir()} == {path.name for path in (alone / "model").iterdir()}
    assert difference(alone, together) < 1e-4


@pytest.fixture(scope="module")
def arm_of_two(arm, tmp_path_factory) -> Arm:
    """The arm, trained by ZeRO-2 on two processes."""
    project = Project.copy(arm.project.root, tmp_path_factory.mktemp("two") / "project")
    shutil.copytree(arm.project.root / "results", project.root / "results")
    project.set("environment", "deepspeed")
    project.set("algorithms.grpo.update.backend", "zero2")
    return Arm(project, ".teacher.clip_cov.", arm.checkpoint_every)


def test_ranks_that_are_terminated_agree_on_a_step_save_it_and_end_with_the_same_bytes(arm_of_two, tmp_path):
    """SIGTERM to torchrun, which passes it on to its workers, as `scancel` and a walltime do."""

    def run(home):
        return arm_of_two.start(home, ranks=2, environment="deepspeed")

    whole = run(tmp_path / "whole")
    assert whole.communicate()[0] and whole.returncode == 0
    job = run(tmp_path / "stopped")
    checkpoints = arm_of_two.folders(tmp_path / "stopped")[1] / "checkpoints"
    while job.poll() is None and not any(checkpoints.glob("step-*/state.json")):
        time.sleep(0.002)
    os.kill(job.pid, signal.SIGTERM)
    output, _ = job.communicate()
    (step,) = set(re.findall(r"terminated after step (\d) of 6: saved, run it again", output))
    assert job.returncode != 0
    again = run(tmp_path / "stopped")
    assert f"resumed after step {step} of 6" in again.communicate()[0] and again.returncode == 0
    assert arm_of_two.files(tmp_path / "stopped") == arm_of_two.files(tmp_path / "whole")
