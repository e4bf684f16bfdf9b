"""Models that the DAG fine-tunes, in one process and by ZeRO-3 in two. Real snakemake, DeepSpeed, gloo."""

import copy
import shutil

import pytest
import torch
import yaml
from safetensors.torch import load_file

from tests.project import ROOT, Project

TRAINING = {"steps": 6, "batch": 8, "lr": 1.0e-3}


def tuned(base: str, template: str, data: str, objective: str) -> dict:
    source = {"kind": "finetuned", "base": base, "data": data, "objective": objective, "training": TRAINING}
    return {"template": template, "source": source}


@pytest.fixture
def project(tmp_path):
    """Micro, its policy and judge base each fine-tuned once more, the latter on pairs made from questions."""
    project = Project.copy(ROOT, tmp_path / "project")
    config = project.settings()
    pairs = {"source": {"kind": "pairs", "questions": ["questions"]}, "splits": {"train": {"rows": 60}}}
    config["datasets"] = copy.deepcopy(config["datasets"]) | {"derived": pairs}
    config["models"] = copy.deepcopy(config["models"]) | {
        "shown": tuned("base", "policy_nano", "questions.train", "references"),
        "judge_tuned": tuned("judge_base", "judge_nano", "derived", "verdicts"),
    }
    config["models"]["teacher"] = copy.deepcopy(config["models"]["judge_base"])
    config["judges"]["judge"]["base"] = "judge_tuned"
    config["studies"]["reward_by_entropy"]["policies"] = ["shown"]
    config["environment"] = "deepspeed"
    project.config.write_text(yaml.safe_dump(config, sort_keys=False))
    return project


def weights(project, name: str) -> dict[str, torch.Tensor]:
    newest = max(
        (folder for folder in project.artifacts("models") if folder.name.startswith(name)),
        key=lambda folder: folder.stat().st_mtime,
    )
    return load_file(newest / "model" / "model.safetensors")


def test_two_ranks_tune_the_models_that_one_tunes(project):
    """They share a fine-tuning; a model from scratch is the first rank's, to the bit what it is alone."""
    names = ("base", "judge_base", "judge_tuned", "shown", "teacher")
    computed = {("prepare_model", f"{name}.s0"): "computed" for name in names}
    assert computed.items() <= project.jobs("models").items()
    alone = {name: weights(project, name) for name in names}
    assert any(not torch.equal(alone["base"][key], alone["shown"][key]) for key in alone["base"])

    for name in ("shown", "judge_tuned"):
        project.set(f"models.{name}.source.training", TRAINING | {"backend": "zero3"})
    project.set("placement", {"prepare_model": {"gpus": 2, "threads": 2}})
    found = project.jobs("models")
    assert found == {("prepare_model", f"{name}.s0"): "computed" for name in ("judge_tuned", "shown")}
    for name in ("shown", "judge_tuned"):
        together = weights(project, name)
        distance = sum(float((together[key] - alone[name][key]).norm() ** 2) for key in together) ** 0.5
        assert together.keys() == alone[name].keys()
        assert 0 < distance < 1e-4 * sum(float(value.norm() ** 2) for value in together.values()) ** 0.5

    shutil.rmtree(project.results)  # all again in two ranks, nothing to restore
    assert project.jobs("models")[("prepare_model", "base.s0")] == "computed"
    again = weights(project, "base")
    assert all(torch.equal(again[key], alone["base"][key]) for key in again)
