"""A config of GPU jobs to estimate: nano's studies at the size of the papers, on eight GPUs."""

import copy
from dataclasses import replace

import yaml

from tests.project import ROOT
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import load_config
from workflow_scripts.planning.cost.estimate import GpuJob

QWEN = "Qwen/Qwen2.5-"
ROLLOUT = {"prompts": 256, "samples": 8, "max_tokens": 8192, "max_batches": 10}
UPDATE = {"minibatches": 8, "lr": 5e-7, "micro_batch_tokens": 30720, "backend": "zero3", "precision": "bfloat16"}
GPU_STAGES = ("explore_policy", "label_rollouts", "distill_judge", "audit_judge", "train_policy", "sample_answers")
VLLM = {"rollout.engine": "vllm", "rollout.tensor_parallel": 1, "rollout.gpu_memory": 0.5}
TRAINED = VLLM | {"update.activation_checkpointing": True}


def hub(size: str, **judging) -> dict:
    source = {"kind": "hub", "repo": QWEN + size, "revision": "unpinned"}
    return {"template": "policy_nano", "source": source, "judging": {"precision": "bfloat16", **judging}}


def settings(**changes) -> dict:
    """The raw config; `changes` replace sections."""
    rl = {"advantage": {"name": "grpo"}, "steps": 325, "rollout": ROLLOUT, "update": UPDATE}
    place = {"gpus": 8, "memory_gb": 500, "minutes": 2880}
    config = {
        "extends": "nano",
        "environment": "deepspeed",
        "models": {"base": hub("7B"), "teacher": hub("72B-Instruct", engine="vllm", tensor_parallel=8)},
        "algorithms": {"grpo": rl, "rloo": rl},
        "placement": dict.fromkeys((*GPU_STAGES, "grade_answers"), place),
    }
    config["models"]["judge_base"] = hub("7B-Instruct", engine="vllm")
    training = {"epochs": 1, "batch": 128, "backend": "zero3", "precision": "bfloat16"}
    nano = yaml.safe_load((ROOT / "config" / "nano.yaml").read_text())
    config["judges"] = {"judge": nano["judges"]["judge"] | {"training": training}}
    return config | changes


def graph(**changes) -> Graph:
    return Graph(load_config(settings(**changes)), ROOT)


def job(stage: str, name: str = "", made: Graph | None = None, **slices) -> GpuJob:
    """The job of a stage whose name holds `name`, its slice of the config changed at dotted paths."""
    made = made or graph()
    artifact = next(a for a in made.of_stage(stage).values() if name in a.name)
    config = copy.deepcopy(artifact.config)
    for path, value in slices.items():
        *sections, last = path.split(".")
        section = config
        for part in sections:
            section = section[part]
        section[last] = value
    return GpuJob.of(made.config, replace(artifact, config=config))
