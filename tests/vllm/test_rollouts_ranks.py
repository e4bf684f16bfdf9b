"""ZeRO-3 over two ranks feeds vLLM in the same two processes: one engine each, or one that is split over both."""

import json
from pathlib import Path

import pytest

pytest.importorskip("vllm", reason="needs vLLM: make vllm-test")

from tests.ranks import launch
from tests.vllm.policies import TOLERANCE

CASES = {
    f"{'tied' if tied else 'untied'}-{world}-{backend}-{tp}": {"tied": tied, "backend": backend, "tensor_parallel": tp}
    for world, backend, tp in ((1, "single", 1), (2, "zero3", 1), (2, "zero3", 2))
    for tied in (False, True)
}


def forget_shared_memory():
    """vLLM's CPU build leaves the memory through which the ranks of a split model talk, under a name that all jobs
    share; the next job cannot make it anew. (On GPUs they talk by NCCL.)
    """
    for left in Path("/dev/shm").glob("-tp:*-cpushm_*"):
        left.unlink()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the worker wrote, by case; cases of a world and split share their processes."""
    folder = tmp_path_factory.mktemp("ranks")
    for name, case in CASES.items():
        case["out"] = str(folder / f"{name}.json")
    for world, tp in ((1, 1), (2, 1), (2, 2)):
        chosen = [case for name, case in CASES.items() if f"-{world}-" in name and case["tensor_parallel"] == tp]
        forget_shared_memory()
        launch("tests.vllm.ranks_worker", folder / f"{world}-{tp}.jsonl", world, chosen)
    forget_shared_memory()
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_engines_on_ranks_follow_the_trainer(found, name):
    case = found[name]
    assert case["before"] < TOLERANCE and case["after"] < TOLERANCE < 1e-2 < case["moved"]
    assert case["updates"] == 3


@pytest.mark.parametrize("tied", ["tied", "untied"])
def test_what_is_sampled_does_not_depend_on_ranks_and_split(found, tied):
    alone = found[f"{tied}-1-single-1"]["texts"][0]
    assert len(set(alone)) > 5
    for name in CASES:
        if name.startswith(tied):
            assert found[name]["texts"][0] == alone, name
