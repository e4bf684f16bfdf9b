"""Two arms of the nano world, one sampled by the trainer itself and one by vLLM: they learn the same.

The real DAG (tests/configs/rollouts.yaml): data, base policy, two arms, answers by two ranks with a vLLM engine each,
verdicts. Nothing of it is left running.
"""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("vllm", reason="needs vLLM: make vllm-test")

from tests.project import ROOT, Project

MARGIN, Z90 = 0.03, 1.645


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    root = tmp_path_factory.mktemp("arms")
    Project.copy(ROOT, root)
    project = Project(root, "tests/configs/rollouts.yaml")
    done = project.run("grades")
    assert done.returncode == 0, done.stdout[-3000:]
    return project.results


def one(results: Path, folder: str, name: str) -> Path:
    (found,) = results.glob(f"{folder}/*{name}*")
    return found


def right(results: Path, name: str):
    """Share right by question id, and the number of answers."""
    grades = one(results, "evaluations", f"grades.base{name}")
    table = pq.read_table(grades / "world.parquet").to_pandas()
    return table.groupby("question_id")["truth"].mean(), len(table)


def test_both_engines_train_to_the_same_accuracy(results):
    (before, _), (own, count), (vllm, others) = (right(results, name) for name in (".s0", "*.own", "*.vllm"))
    assert count == others >= 2000 and list(own.index) == list(vllm.index)
    assert own.mean() > before.mean() + 0.05 and vllm.mean() > before.mean() + 0.05  # both have learned
    difference = (vllm - own).to_numpy()
    middle, half = difference.mean(), Z90 * difference.std(ddof=1) / np.sqrt(len(difference))
    print(f"base {before.mean():.3f} own {own.mean():.3f} vllm {vllm.mean():.3f}: {middle:+.4f} +- {half:.4f}")
    assert middle - half > -MARGIN and middle + half < MARGIN


def test_the_mismatch_of_every_step_is_within_rounding(results):
    own, vllm = (
        pq.read_table(one(results, "policies", f".{name}.") / "metrics.parquet").to_pandas() for name in ("own", "vllm")
    )
    assert own["mismatch"].isna().all() and len(vllm) == len(own)
    assert (vllm["mismatch"] < 1e-5).all() and (vllm["mismatch_max"] < 1e-3).all()
    assert (vllm["mismatch_outside"] == 0).all() and ((vllm["mismatch_ratio"] - 1).abs() < 1e-5).all()


def test_nothing_is_left_running(results):
    folders = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            folders.append(os.readlink(process / "cwd"))
    assert not [folder for folder in folders if folder.startswith(str(results.parent))]
