"""Labels survive every way to end a job: killed, resumed, scattered or shared by ranks, the table has the same bytes.

Real: the stage as a process of its own, a network with random weights, Parquet. Made up: the rollouts.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from tests.tiny import small_model
from workflow_scripts.artifacts.fingerprint import ROOT, fingerprint
from workflow_scripts.artifacts.keys import key
from workflow_scripts.artifacts.manifest import make_manifest, write_json
from workflow_scripts.artifacts.schemas import LABELS, ROLLOUTS
from workflow_scripts.artifacts.tables import write_table
from workflow_scripts.models.loading import save_model
from workflow_scripts.models.tokenizer import train_tokenizer
from workflow_scripts.rewards.verdict_tokens import resolve_verdict_tokens

STAGE = "label_rollouts"
ARCHITECTURE = {"layers": 1, "width": 32, "heads": 1, "mlp": 64, "positions": 128}  # heads as wide as vLLM asks
CONFIG = {
    "seed": 0,
    "template": "judge_nano",
    "judging": {"engine": "inprocess", "batch": 4, "max_length": 64},
    "votes": 3,
    "vote_temperature": 1.0,
    "audit_share": 0.3,
    "validation_share": 0.2,
    "shard_rows": 7,
    "jobs": 1,
    "job": None,
}
# Ends the process with SIGKILL when the second shard is half written, or has just got its name.
KILLED = """
import os, signal, sys
from pathlib import Path
from workflow_scripts.rewards import labelling
from workflow_scripts.stages import label_rollouts
point, calls, write = sys.argv[1], [], labelling._write_shard
def killed(path, scores):
    calls.append(path)
    if len(calls) == 2 and point == "half":
        path.with_suffix(".tmp").write_bytes(b"PAR1 half a shard")
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, scores)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
labelling._write_shard = killed
label_rollouts.main(sys.argv[2:])
"""


class Labels:
    """Inputs of the stage in a folder, and runs of it as a rule would make them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("rollouts", "teacher/model"):
            (root / folder).mkdir(parents=True)
        write_table(root / "rollouts" / "rollouts.parquet", rollouts(), ROLLOUTS)
        self._model(root / "teacher" / "model")
        self.inputs = {role: root / role / "manifest.json" for role in ("rollouts", "teacher")}
        for manifest in self.inputs.values():
            write_json(manifest, make_manifest(manifest.parent, {}))

    @staticmethod
    def _model(folder: Path) -> None:
        tokenizer = train_tokenizer(["1+2=? three", *["YES", "NO"] * 9], 300, 128)
        model = small_model(ARCHITECTURE, tokenizer, seed=3)
        tokens = resolve_verdict_tokens(tokenizer)
        with torch.no_grad():
            model.lm_head.weight.mul_(20)
            for token in (*tokens.yes, *tokens.no):
                model.lm_head.weight[token].mul_(6)
        save_model(model, tokenizer, folder)

    def output(self, home: str, config: dict) -> Path:
        return self.root / home / "labels" / f"stage1-{key(self._spec(config))}" / "manifest.json"

    def run(self, home: str, launcher=("-m", f"workflow_scripts.stages.{STAGE}"), inputs=None, **changes):
        """The finished process, and the artifact's manifest."""
        config = CONFIG | changes
        output = self.output(home, config)
        arguments = ["--spec", json.dumps(self._spec(config)), "--output", output, "--work", self.root / home / "work"]
        arguments += [f"--input={role}={path}" for role, path in (inputs or self.inputs).items()]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *launcher, *arguments], env=environment, text=True, capture_output=True, cwd=ROOT
        )
        return done, output

    @staticmethod
    def _spec(config: dict) -> dict:
        code = fingerprint(STAGE, config, ROOT / "envs" / "cpu.txt")
        return {"stage": STAGE, "config": config, "code": code, "inputs": {}}


def rollouts() -> dict[str, list]:
    """Ninety rollouts of thirty questions: answers right and wrong, without content, twice, too long to be asked."""
    rows = []
    for index in range(30):
        for sample, answer in enumerate((str(index), "." if index % 7 == 0 else str(index + 1), str(index))):
            answer = "9" * 80 if index == 4 else answer
            rows.append((f"{index:016x}", sample, f"{index}+0=?", str(index), f"so\n{answer}", answer))
    ids, samples, prompts, references, responses, answers = (list(column) for column in zip(*rows, strict=True))
    same = {"step": 1, "group": 0, "subject": "sums", "length": 3, "truncated": False, "p_yes": 0.5, "verdict": True}
    columns = {name: [value] * len(rows) for name, value in same.items()} | {"reward": [1.0] * len(rows)}
    columns |= {"question_id": ids, "sample": samples, "prompt": prompts, "reference": references}
    return columns | {"response": responses, "answer": answers}


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> Labels:
    return Labels(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def uninterrupted(labels) -> Path:
    done, manifest = labels.run("whole")
    assert done.returncode == 0, done.stdout + done.stderr
    return manifest


def files(manifest: Path) -> dict[str, bytes]:
    names = json.loads(manifest.read_text())["files"]
    return {name: (manifest.parent / name).read_bytes() for name in names}


def test_the_table_says_what_was_asked_and_how_sure_the_teacher_was(uninterrupted):
    table = pq.read_table(uninterrupted.parent / "labels.parquet")
    assert table.schema.equals(LABELS)
    rows = table.to_pylist()
    unasked = [row for row in rows if row["mass"] == 0]
    assert {row["answer"] for row in unasked} == {".", "9" * 80}
    assert not any(row["verdict"] or row["low_mass"] or row["p_yes"] for row in unasked)
    asked = [row for row in rows if row["mass"] > 0]
    assert all(row["low_mass"] == (row["mass"] < 0.5) for row in asked) and any(row["low_mass"] for row in asked)
    assert all(row["verdict"] == (row["p_yes"] >= 0.5 and not row["low_mass"]) for row in asked)
    assert all(len(row["votes"]) == (3 if row["split"] == "audit" else 0) for row in rows)
    accounting = json.loads(uninterrupted.read_text())["accounting"]
    assert accounting["rollouts"] == sum(row["count"] for row in rows) == 90
    assert accounting["content_free"] == 5 and accounting["too_long"] == 1
    assert accounting["low_mass"] == sum(row["low_mass"] for row in rows) > 0
    assert len({row["p_yes"] for row in asked}) > 20  # a network that answers everything alike would hide mix-ups


@pytest.mark.parametrize(("point", "finished"), [("half", 1), ("renamed", 2)])
def test_a_killed_job_keeps_its_shards_and_ends_with_the_same_bytes(labels, uninterrupted, point, finished):
    done, manifest = labels.run(point, launcher=("-c", KILLED, point))
    assert done.returncode == -signal.SIGKILL and not manifest.exists()
    shards = labels.root / point / "work" / STAGE / manifest.parent.name / "checkpoints" / "shards"
    assert len(list(shards.glob("*.parquet"))) == finished

    done, _ = labels.run(point)
    assert done.returncode == 0 and f"{finished} of 9 shards are there, labelling the others" in done.stdout
    assert files(manifest) == files(uninterrupted) and manifest.read_bytes() == uninterrupted.read_bytes()
    assert not shards.exists()


def test_scattered_jobs_make_the_table_of_one(labels, uninterrupted):
    """To rounding: other shards, so that other rows meet in a batch. The last job needs no model."""
    parts = {"rollouts": labels.inputs["rollouts"]}
    for job in range(2):
        done, manifest = labels.run("scattered", jobs=2, job=job)
        assert done.returncode == 0, done.stdout
        parts[f"job:{job}"] = manifest
    done, manifest = labels.run("scattered", inputs=parts, jobs=2)
    assert done.returncode == 0, done.stdout
    one, several = (pq.read_table(m.parent / "labels.parquet").to_pandas() for m in (uninterrupted, manifest))
    assert np.allclose(one.p_yes, several.p_yes, atol=1e-6) and (one.verdict == several.verdict).all()
    assert one.drop(columns=["p_yes", "mass"]).equals(several.drop(columns=["p_yes", "mass"]))


def test_two_ranks_make_the_table_of_one(labels, uninterrupted):
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m")
    done, manifest = labels.run("ranks", launcher=(*torchrun, f"workflow_scripts.stages.{STAGE}"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert files(manifest) == files(uninterrupted)
