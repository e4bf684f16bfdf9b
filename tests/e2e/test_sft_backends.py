"""One fine-tuning of a judge, many ways to compute it: processes, micro-batches, ZeRO stages, a stop between them.
Real DeepSpeed, two gloo ranks."""

import json

import pytest
import torch
from safetensors.torch import load_file

from tests.ranks import launch

NEAR = 1e-5  # largest relative difference of the weights, as one vector
WAYS = ("small", "zero2", "zero3", "zero3_after_single")


def run(folder, world, cases):
    """Run `cases` (name -> settings) in one group of `world` processes."""
    lines = []
    for name, case in cases.items():
        lines.append({"budget": 60, "folder": str(folder / f"{name}.work"), "out": str(folder / f"{name}.st"), **case})
    launch("tests.e2e.sft_worker", folder / f"cases-{world}.jsonl", world, lines)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """name -> (weights as one vector, TRAINING columns)"""
    folder = tmp_path_factory.mktemp("sft")
    shared = str(folder / "shared.work")
    alone = {
        "single": {"backend": "single", "budget": 100000},
        "small": {"backend": "single"},
        "stopped": {"backend": "single", "folder": shared, "stop": True},
    }
    run(folder, 1, alone)
    together = {name: {"backend": name} for name in ("zero2", "zero3")}
    run(folder, 2, together | {"zero3_after_single": {"backend": "zero3", "folder": shared}})

    def vector(name):
        weights = load_file(folder / f"{name}.st")
        return torch.cat([weights[key].flatten().double() for key in sorted(weights)])

    names = ("single", *WAYS)
    return {name: (vector(name), json.loads((folder / f"{name}.json").read_text())) for name in names}


@pytest.mark.parametrize("name", WAYS)
def test_every_way_gives_the_same_judge(results, name):
    weights, rows = results["single"]
    found, its_rows = results[name]
    assert float((found - weights).norm() / weights.norm()) < NEAR
    for column in ("loss", "grad_norm", "lr", "tokens"):
        assert its_rows[column] == pytest.approx(rows[column], rel=NEAR), column
    assert len(rows["step"]) == 6 and rows["tokens"][-1] == 4 * 9 + 1 + 9  # 37 examples: the fifth batch is short


def test_the_judge_has_learnt_something(results):
    losses = results["single"][1]["loss"]
    assert losses[-1] < losses[0] - 1
