"""Small real models out of the DAG, and lm-eval as a user starts it: `make lmeval-test`. Without lm-eval: skipped."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.project import ROOT, Project

LEVELS = [0.5, 0.5, 0, 0, 0, 0]  # a network of seconds solves some sums of the two easiest levels


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Project:
    """A finished run: base policy, one arm trained under a distilled judge, and both policies' greedy answers."""
    pytest.importorskip("lm_eval", reason="needs lm-eval: make lmeval-test")
    project = Project.copy(ROOT, tmp_path_factory.mktemp("trained") / "project")
    easy = {"lesson_shares": LEVELS, "style_shares": {"direct": 1}, "noise": {"direct": 0}}
    for name, rows, options in (
        ("demonstrations", {"train": 4000, "validation": 40}, easy),
        ("questions", {"explore": 48, "train": 40, "validation": 12, "test": 48}, {"level_shares": LEVELS}),
    ):
        project.set(f"datasets.{name}.source.options", options)
        splits = {split: {"rows": count, "subjects": ["arithmetic"]} for split, count in rows.items()}
        project.set(f"datasets.{name}.splits", splits)
    project.set("models.base.source.architecture", {"layers": 2, "width": 64, "heads": 4, "mlp": 128, "vocab": 400})
    project.set("models.base.source.training.steps", 400)
    greedy = {"data": "questions.test", "samples": 1, "temperature": 0, "max_tokens": 12, "graders": ["rule"]}
    project.set("benchmarks", {"greedy": greedy})
    project.set("studies.reward_by_entropy.rewards", ["judge_soft"])
    project.set("studies.reward_by_entropy.entropy", ["none"])
    done = project.run("grades")
    assert done.returncode == 0, done.stdout[-3000:]
    return project


@dataclass
class Harness:
    """lm-eval on a local task, offline."""

    folder: Path

    def run(self, model: Path, task: dict, documents: list[dict]) -> tuple[dict, list[dict]]:
        """(metrics, samples in the order of the documents) of `lm_eval run` with its `hf` model."""
        lines = self.folder / "documents.jsonl"
        lines.write_text("".join(json.dumps(document) + "\n" for document in documents))
        local = {"task": "local", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(lines)}}}
        (self.folder / "local.yaml").write_text(yaml.safe_dump(local | {"test_split": "test"} | task))
        arguments = ["--model", "hf", "--model_args", f"pretrained={model},dtype=float32", "--device", "cpu"]
        arguments += ["--tasks", "local", "--include_path", str(self.folder), "--apply_chat_template"]
        arguments += ["--batch_size", "8", "--output_path", str(self.folder / "out"), "--log_samples"]
        done = subprocess.run(
            [sys.executable, "-m", "lm_eval", "run", *arguments],
            cwd=self.folder,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(self.folder / "hf"), "OMP_NUM_THREADS": "1"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, done.stdout[-3000:]
        (results,) = self.folder.glob("out/*/results_*.json")
        (samples,) = self.folder.glob("out/*/samples_local_*.jsonl")
        rows = sorted(map(json.loads, samples.read_text().splitlines()), key=lambda row: row["doc_id"])
        return json.loads(results.read_text())["results"]["local"], rows


@pytest.fixture
def harness(tmp_path) -> Harness:
    return Harness(tmp_path)
