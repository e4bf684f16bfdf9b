"""Bytes on a GPU: by hand, and as a real layer saves them."""

import pytest
import torch
from transformers.models.qwen2.modeling_qwen2 import Qwen2Config, Qwen2Model

from tests.unit.planning.gpu_jobs import TRAINED, graph, job
from workflow_scripts.generation import decoder
from workflow_scripts.planning.cost import memory, training
from workflow_scripts.planning.cost.networks import Network, facts

SEVEN = Network(**facts("architectures")["Qwen/Qwen2.5-7B"])
N = 7.615616512  # GB at a byte a weight
ZERO3 = {"backend": "zero3", "precision": "bfloat16"}
TOKENS = 64


def kept_bytes(layers: int, dtype: torch.dtype, shape: Network) -> int:
    """Bytes that a Qwen2 model keeps for its backward pass, weights aside."""
    config = Qwen2Config(
        vocab_size=32,
        hidden_size=shape.width,
        intermediate_size=shape.mlp,
        num_hidden_layers=layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
    )
    model, kept = Qwen2Model(config).to(dtype), {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor  # held, so that no address is used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(input_ids=torch.zeros(1, TOKENS, dtype=torch.long), use_cache=False)
    return sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in weights)


@pytest.mark.parametrize(("dtype", "width"), [(torch.bfloat16, 2), (torch.float32, 4)], ids=str)
@pytest.mark.parametrize(("heads", "kv_heads", "mlp"), [(4, 2, 1024), (4, 4, 512)])
def test_a_layer_saves_what_is_counted(dtype, width, heads, kv_heads, mlp):
    shape = Network(layers=1, width=256, heads=heads, kv_heads=kv_heads, head=64, mlp=mlp, vocab=32, tied=False)
    layer = (kept_bytes(3, dtype, shape) - kept_bytes(1, dtype, shape)) / 2 / TOKENS
    assert memory.saved_bytes(shape, width) == pytest.approx(layer, rel=0.01)


def test_states_of_each_backend_by_hand():
    def held(ranks, **settings):
        parts, host = memory.states(SEVEN, {"precision": "bfloat16"} | settings, ranks)
        return {name: round(size, 2) for name, size in parts.items()}, round(host, 2)

    assert held(1, backend="single") == (
        {"weights": round(6 * N, 2), "gradients": round(4 * N, 2), "optimiser": round(8 * N, 2)},
        0,
    )
    two, _ = held(8, backend="zero2")
    assert two == {
        "weights": round(2 * N, 2),
        "gradients": round(N / 2, 2),
        "optimiser": round(1.5 * N, 2),
        "buffers": 1.0,
    }
    three, _ = held(8, **ZERO3)
    assert three == two | {"weights": round(N / 4, 2), "buffers": 3.1}
    offloaded, host = held(8, **ZERO3, offload="optimizer")
    assert offloaded == {"weights": round(N / 4, 2), "buffers": 3.1} and host == round(2 * N, 2)
    everything, host = held(8, **ZERO3, offload="all")
    assert everything == {"buffers": 3.1} and host == round(2.25 * N, 2)


def test_activations_by_hand():
    layer = 30720 * (2 * 3584 * 8 + 2 * (2 * 128 * 32 + 4 * 18944)) / 1e9
    whole = memory.activations(SEVEN, {"micro_batch_tokens": 30720, "precision": "bfloat16"}, 8448)
    again = {"micro_batch_tokens": 30720, "precision": "bfloat16", "activation_checkpointing": True}
    assert whole["activations"] == pytest.approx(28.5 * layer)
    kept = memory.activations(SEVEN, again, 8448)
    assert kept["activations"] == pytest.approx(28 * 30720 * 3584 * 2 / 1e9 + 1.5 * layer)
    assert kept["head"] == pytest.approx((2 * 4 * 152064 * 3584 + 3 * 4 * 2**26) / 1e9)


def test_a_response_that_is_longer_than_the_budget_is_a_pass_of_its_own():
    passes = [memory.activations(SEVEN, {"micro_batch_tokens": n, "precision": "bfloat16"}, 8448) for n in (1, 8448)]
    assert passes[0] == passes[1]


def needed(**changes) -> float:
    """GB while it learns and while it samples, together."""
    made = training.policy(job("train_policy", "rule.none", **TRAINED | changes))
    return sum(need.total for need in made.needs if need.limit is None)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({}, {"update.activation_checkpointing": False}),
        ({}, {"update.micro_batch_tokens": 61440}),
        ({}, {"update.precision": "float32"}),
        ({"update.offload": "optimizer"}, {}),
        ({"update.offload": "all"}, {"update.offload": "optimizer"}),
        ({}, {"rollout.gpu_memory": 0.8}),
        ({}, {"rollout.engine": "inprocess"}),
        ({}, {"update.backend": "zero2"}),
    ],
    ids=str,
)
def test_what_takes_more_memory_is_told_to(less, more):
    assert needed(**less) < needed(**more)


def test_more_ranks_hold_less_each():
    place = {"gpus": 8, "nodes": 4, "memory_gb": 500, "minutes": 2880}
    needs = [
        training.policy(job("train_policy", "rule.none", made, **TRAINED)).needs[0]
        for made in (graph(), graph(placement={"train_policy": place}))
    ]
    assert needs[1].parts["optimiser"] == pytest.approx(needs[0].parts["optimiser"] / 4)
    assert needs[1].total < needs[0].total


def test_the_engine_in_the_process_is_the_one_that_runs():
    assert decoder.PACES["cuda"].slots == memory.INPROCESS_ROWS and decoder.CACHE == memory.INPROCESS_CACHE


def test_the_engine_in_the_process_takes_so_many_slots_as_fit():
    """Each has room for the longest response; on one process in half precision there is a copy of the weights."""
    alone = {"rollout.engine": "inprocess", "update.backend": "single"}
    place = {"gpus": 1, "memory_gb": 500, "minutes": 2880}
    made = graph(placement={"train_policy": place})

    def need(**changes) -> dict[str, float]:
        return training.policy(job("train_policy", "rule.none", made, **alone | changes)).needs[1].parts

    place_gb = 2 * 28 * 4 * 128 * 2 / 1e9  # keys and values of 7B, a token
    long, short = need(), need(**{"rollout.max_tokens": 16})
    assert long["KV cache"] == pytest.approx(0.3 * 80)
    prompt = short["KV cache"] / (512 * place_gb) - 16
    assert 10 < prompt < 500
    assert need(**{"rollout.max_tokens": 116})["KV cache"] == pytest.approx(512 * place_gb * (prompt + 116))
    assert long["copy to sample from"] == pytest.approx(2 * N)
    assert "copy to sample from" not in need(**{"update.precision": "float32"})


def test_a_reference_and_a_judge_in_the_process_are_counted():
    plain, with_kl, judged = (
        training.policy(job("train_policy", name, **TRAINED | changes))
        for name, changes in (("rule.none", {}), ("rule.none", {"update.kl_coef": 0.1}), ("judge_soft.none", {}))
    )
    assert with_kl.needs[0].parts["reference"] == pytest.approx(2 * N / 8)
    assert judged.needs[0].total - plain.needs[0].total == pytest.approx(2 * N)
