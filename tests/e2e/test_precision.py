"""Passes in bfloat16 lose nothing that adds up: gradients of micro-batches and ranks, and updates of the weights."""

import json

import pytest

from tests.e2e.precision_worker import COUNT, SMALL
from tests.ranks import launch


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """backend -> what is kept of small numbers"""
    folder, found = tmp_path_factory.mktemp("precision"), {}
    for world, backends in ((1, ("single",)), (2, ("zero2", "zero3"))):
        cases = [{"backend": name, "out": str(folder / f"{name}.json")} for name in backends]
        launch("tests.e2e.precision_worker", folder / f"cases-{world}.jsonl", world, cases)
        found |= {name: json.loads((folder / f"{name}.json").read_text()) for name in backends}
    return found


@pytest.mark.parametrize("backend", ["single", "zero2", "zero3"])
def test_gradients_add_up_in_fp32(figures, backend):
    """Shares of 2^-10 beside one of 1, over micro-batches and ranks: in bfloat16 each one would be rounded away."""
    assert figures[backend]["gained"] == pytest.approx(SMALL * COUNT, rel=1e-4)
    assert figures[backend]["spread"] < 1e-5


@pytest.mark.parametrize("backend", ["single", "zero2", "zero3"])
def test_an_update_of_1e_7_of_a_weight_is_not_lost(figures, backend):
    """Five of them: weights in bfloat16 would not move before they came to 4e-3."""
    assert figures[backend]["moved"] == pytest.approx(1, abs=0.1) and figures[backend]["unmoved"] < 0.01
