"""One update, many ways to compute it: processes, micro-batches, ZeRO stages. Real DeepSpeed, two gloo ranks."""

import json

import pytest
import torch
from safetensors.torch import load_file

from tests.ranks import launch

CLIP_COV = {"name": "clip_cov", "options": {"clip_cov_ratio": 0.1, "cov_low": 0.0}}
# What saves memory and time, all of it together.
LEAN = {
    "zero2": {"packing": True, "activation_checkpointing": True, "offload": "optimizer"},
    "zero3": {"packing": True, "activation_checkpointing": True, "offload": "all"},
}
KL_COV = {"name": "kl_cov", "options": {"kl_cov_ratio": 0.2}, "aggregation": "seq-mean-token-mean"}


def run(folder, world, cases):
    """Run `cases` (name -> settings) in one group of `world` processes; name -> (tensors, summary)."""
    for name, case in cases.items():
        case |= {"out": str(folder / f"{name}.safetensors")}
        cases[name] = {"budget": 200, "loss": CLIP_COV, "steps": 2, **case}
    launch("tests.e2e.backends_worker", folder / "cases.jsonl", world, list(cases.values()))
    files = {name: folder / f"{name}.safetensors" for name in cases}
    return {name: (load_file(path), json.loads(path.with_suffix(".json").read_text())) for name, path in files.items()}


def difference(ours, theirs):
    """Largest relative difference of weights, first and second moments, each taken as one vector."""
    worst = 0.0
    for key in ("param", "exp_avg", "exp_avg_sq"):
        names = sorted(name for name in ours if name.endswith(f"|{key}"))
        one, two = (torch.cat([tensors[name].flatten().double() for name in names]) for tensors in (ours, theirs))
        worst = max(worst, float((one - two).norm() / two.norm()))
    return worst


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """All cases, in three groups of processes."""
    folder = tmp_path_factory.mktemp("backends")
    alone = {
        "single": {"backend": "single", "budget": 100000},
        "single_small": {"backend": "single", "budget": 60, "save": str(folder / "from_single"), "steps": 1},
        "single_kl": {"backend": "single", "budget": 100000, "loss": KL_COV},
        "single_bf16": {"backend": "single", "update": {"precision": "bfloat16"}},
        "single_broken": {"backend": "single", "broken": True},
        "single_packed": {"backend": "single", "update": {"packing": True}},
        "single_recomputed": {"backend": "single", "budget": 60, "update": {"activation_checkpointing": True}},
        "single_tied": {"backend": "single", "budget": 100000, "tied": True, "model": str(folder / "tied")},
    }
    found = run(folder, 1, alone)
    pair = {
        f"{backend}{suffix}": {"backend": backend, **extra}
        for backend in ("zero2", "zero3")
        for suffix, extra in {
            "": {},
            "_small": {"budget": 60},
            "_one": {"budget": 100000},  # one micro-batch, halved for two ranks
            "_kl": {"loss": KL_COV},
            "_bf16": {"update": {"precision": "bfloat16"}},
            "_broken": {"broken": True},
            "_tied": {"tied": True, "model": str(folder / f"{backend}_tied")},
            "_offload": {"update": {"offload": "optimizer"}, "steps": 1, "save": str(folder / f"{backend}_offload")},
            "_lean": {"update": LEAN[backend], "model": str(folder / f"{backend}_lean"), "steps": 2},
            "_onward": {"update": LEAN[backend], "load": str(folder / f"{backend}_offload"), "seed": 9},
            "_from_files": {"model": str(folder / backend)},
            "_saved": {"steps": 1, "save": str(folder / f"from_{backend}")},
            "_resumed": {"load": str(folder / f"from_{backend}"), "seed": 9},
            "_from_single": {"load": str(folder / "from_single"), "seed": 9},
        }.items()
    }
    found |= run(folder, 2, pair)
    later = {f"zero{n}_alone": {"backend": f"zero{n}", "budget": 60} for n in (2, 3)}
    later |= {f"single_from_zero{n}": {"backend": "single", "load": str(folder / f"from_zero{n}")} for n in (2, 3)}
    later |= {"zero2_from_zero3": {"backend": "zero2", "load": str(folder / "from_zero3"), "seed": 9}}
    return found | run(folder, 1, later)


SPLITS = ["zero2", "zero3", "zero2_small", "zero3_small", "zero2_one", "zero3_one", "zero2_alone", "zero3_alone"]
SAVERS = ["single_packed", "single_recomputed", "zero2_lean", "zero3_lean", "zero2_onward", "zero3_onward"]


@pytest.mark.parametrize("name", SPLITS + SAVERS)
def test_the_split_does_not_change_the_update(results, name):
    """Four updates with clipped gradients, entropy bonus and KL: 1e-5 relative in fp32."""
    assert difference(results[name][0], results["single"][0]) < 1e-5
    steps = len(results[name][1]["norms"])  # after a checkpoint: the last ones
    assert results[name][1]["norms"] == pytest.approx(results["single"][1]["norms"][-steps:], rel=1e-5)
    assert results[name][1]["losses"] == pytest.approx(results["single"][1]["losses"][-steps:], rel=1e-4)


@pytest.mark.parametrize("name", ["zero2_from_files", "zero3_from_files"])
def test_a_model_read_in_parts_is_the_whole_one(results, name):
    """Bit for bit; the worker has compared the export, too."""
    ours, whole = results[name][0], results[name.removesuffix("_from_files")][0]
    assert ours.keys() == whole.keys() and all(torch.equal(ours[key], whole[key]) for key in whole)


@pytest.mark.parametrize("name", ["zero2_tied", "zero3_tied"])
def test_a_matrix_that_is_embedding_and_head_is_one(results, name):
    assert difference(results[name][0], results["single_tied"][0]) < 1e-5
    assert not any("lm_head" in key for key in results[name][0])


@pytest.mark.parametrize("name", ["zero2_kl", "zero3_kl"])
def test_sequence_means_and_top_k_are_global_too(results, name):
    assert difference(results[name][0], results["single_kl"][0]) < 1e-5


@pytest.mark.parametrize("name", ["single", "zero2", "zero3"])
def test_bfloat16_passes_keep_single_precision_weights(results, name):
    """Weights and moments go on in fp32, not on the grid of bf16, from gradients near those of fp32 passes."""
    tensors, summary = results[f"{name}_bf16"]
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32} and not any(summary["skipped"])
    weights = [key for key in tensors if key.endswith("|param")]
    assert any(not torch.equal(tensors[key], tensors[key].bfloat16().float()) for key in weights)
    assert summary["norms"] == pytest.approx(results["single"][1]["norms"], rel=0.2)  # other tokens are drawn, too


@pytest.mark.parametrize("name", ["zero2", "zero3"])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(results, name):
    """Same backend and world: two steps, and one step + checkpoint + a new process group's second step."""
    straight, resumed = results[name][0], results[f"{name}_resumed"][0]
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)


@pytest.mark.parametrize("name", ["zero2_from_single", "zero3_from_single", "single_from_zero2", "single_from_zero3"])
def test_a_checkpoint_goes_on_under_another_world(results, name):
    assert difference(results[name][0], results["single"][0]) < 1e-5 and results[name][1]["updates"] == 4


def test_a_checkpoint_goes_on_under_another_stage(results):
    assert difference(results["zero2_from_zero3"][0], results["single"][0]) < 1e-5


@pytest.mark.parametrize("name", ["single", "zero2", "zero3"])
def test_a_gradient_that_is_not_finite_is_skipped_everywhere(results, name):
    """The first mini-batch holds an infinite advantage; the second one of each step updates."""
    summary = results[f"{name}_broken"][1]
    assert summary["skipped"] == [True, False] * 2 and summary["updates"] == 2
    assert difference(results[f"{name}_broken"][0], results["single_broken"][0]) < 1e-5
