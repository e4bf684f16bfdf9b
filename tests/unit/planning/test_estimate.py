"""Estimates follow the nearest earlier runs, scaled by the work that the configs state."""

import json
from pathlib import Path

import pytest

from workflow_scripts.artifacts.keys import key
from workflow_scripts.planning.dry_run import Job
from workflow_scripts.planning.estimate import Cost, Estimates
from workflow_scripts.planning.records import Records


def arm(loss="ppo_clip", steps=10, seed=0) -> dict:
    return {"steps": steps, "rollout": {"prompts": 4, "samples": 2}, "loss": {"name": loss}, "seed": seed}


class Past:
    """A results root with the provenance of earlier runs."""

    def __init__(self, root: Path):
        self.root = root

    def ran(self, stage, name, config, seconds, gpus=0, **inputs) -> str:
        spec = {"stage": stage, "config": config, "code": "c", "inputs": inputs}
        done = self.root / "work" / stage / f"{name}-{key(spec)}" / "done"
        done.mkdir(parents=True)
        cost = {"seconds": seconds, "core_seconds": 2 * seconds, "gpu_seconds": gpus * seconds}
        (done / "provenance.json").write_text(json.dumps({"spec": spec, "inputs": {}, **cost}))
        return key(spec)

    def estimate(self, stage, name, config, **inputs) -> Cost | None:
        spec = {"stage": stage, "config": config, "code": "c", "inputs": inputs}
        paths = {role: self.root / "models" / f"{role}.s0-{upstream}" / "m" for role, upstream in inputs.items()}
        output = self.root / "x" / f"{name}-{key(spec)}" / "manifest.json"
        job = Job(stage, spec, output, self.root / "work", "cpu", paths, "")
        return Estimates(Records(self.root / "work")).of(job)


@pytest.fixture
def past(tmp_path):
    return Past(tmp_path)


def test_the_nearest_settings_count_and_the_work_scales(past):
    past.ran("train_policy", "a.s0", arm(), 100, gpus=8)
    past.ran("train_policy", "b.s0", arm("kl_cov"), 500, gpus=8)
    assert past.estimate("train_policy", "c.s0", arm(steps=30)) == Cost(core=600, gpu=2400, wall=300)
    assert past.estimate("train_policy", "c.s0", arm("kl_cov", steps=11)).wall == pytest.approx(550)


def test_seeds_of_one_setting_give_their_median(past):
    for seed, seconds in enumerate((100, 110, 900)):
        past.ran("train_policy", f"a.s{seed}", arm(seed=seed), seconds)
    assert past.estimate("train_policy", "a.s3", arm(seed=3)).wall == 110


def test_the_model_counts_before_the_settings(past):
    small = past.ran("prepare_model", "small.s0", {"source": {}}, 1)
    big = past.ran("prepare_model", "big.s0", {"source": {}}, 1)
    past.ran("train_policy", "small.s0", arm("kl_cov"), 10, small=small)
    past.ran("train_policy", "big.s0", arm("ppo_clip"), 1000, big=big)
    assert past.estimate("train_policy", "big.kl.s0", arm("kl_cov"), big=big).wall == 1000


def test_a_stage_that_never_ran_has_no_estimate(past):
    past.ran("train_policy", "a.s0", arm(), 100)
    assert past.estimate("sample_answers", "answers.a.s0", {"benchmarks": {}}) is None


def test_damaged_provenance_is_left_out(past):
    past.ran("train_policy", "a.s0", arm(), 100)
    for path in past.root.rglob("provenance.json"):
        path.write_text('{"spec": ')
    assert past.estimate("train_policy", "a.s0", arm()) is None
