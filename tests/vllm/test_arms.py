"""Arms of the nano world, sampled by the trainer itself or by vLLM: they learn the same.

The real DAG (tests/configs/rollouts.yaml): data, base policy, an arm per engine and seed, answers by two ranks with a
vLLM engine each, verdicts. Nothing of it is left running. The engines draw other random numbers, so two arms differ as
two seeds do, by about a point (one seed, legs included: 1.9 points): each engine has two seeds, and the subject that no
arm trains on, whose accuracy drifts with the run, is left out.
"""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
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


def tables(results: Path, pattern: str, count: int = 2) -> pd.DataFrame:
    """Rows of `count` tables one after the other."""
    found = sorted(results.glob(pattern))
    assert len(found) == count, found
    return pd.concat([pq.read_table(path).to_pandas() for path in found])


def right(results: Path, name: str, count: int = 2) -> tuple[pd.Series, int]:
    """Share right by question id over the seeds, and the number of answers, without the subject that is not trained."""
    table = tables(results, f"evaluations/grades.base{name}.s*/world.parquet", count)
    table = table[table["subject"] != "legs"]
    return table.groupby("question_id")["truth"].mean(), len(table)


def test_both_engines_train_to_the_same_accuracy(results):
    (before, _), (own, count), (vllm, others) = (
        right(results, name, count) for name, count in (("", 1), (".*.own.*", 2), (".*.vllm.*", 2))
    )
    assert count == others >= 2000 and list(own.index) == list(vllm.index)
    assert own.mean() > before.mean() + 0.05 and vllm.mean() > before.mean() + 0.05  # both have learned
    difference = (vllm - own).to_numpy()
    middle, half = difference.mean(), Z90 * difference.std(ddof=1) / np.sqrt(len(difference))
    print(f"base {before.mean():.3f} own {own.mean():.3f} vllm {vllm.mean():.3f}: {middle:+.4f} +- {half:.4f}")
    assert middle - half > -MARGIN and middle + half < MARGIN


def test_the_mismatch_of_every_step_is_within_rounding(results):
    own, vllm = (tables(results, f"policies/*.{name}.*/metrics.parquet") for name in ("own", "vllm"))
    assert own["mismatch"].isna().all() and len(vllm) == len(own)
    assert (vllm["mismatch"] < 1e-5).all() and (vllm["mismatch_max"] < 1e-3).all()
    assert (vllm["mismatch_outside"] == 0).all() and ((vllm["mismatch_ratio"] - 1).abs() < 1e-5).all()


def test_nothing_is_left_running(results):
    folders = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            folders.append(os.readlink(process / "cwd"))
    assert not [folder for folder in folders if folder.startswith(str(results.parent))]
