"""Seconds by hand, and against the published estimates that the model was built from."""

import pytest

from tests.unit.planning.gpu_jobs import TRAINED, VLLM, job
from workflow_scripts.config.hardware import Hardware
from workflow_scripts.planning.cost import judging
from workflow_scripts.planning.cost.networks import Network, facts
from workflow_scripts.planning.cost.roofline import Batch, Decoder, learning, reading, scoring
from workflow_scripts.planning.cost.training import step_phases

TINY = Network(layers=2, width=8, heads=2, kv_heads=1, head=4, mlp=16, vocab=32, tied=True)
ROUND = Hardware(tflops=1, bandwidth_tb=1, head_tflops=1, train_mfu=0.5, prefill_mfu=0.5, decode_efficiency=1)
BATCH = Batch(sequences=10, prompt=4, response=6, longest=12)
MATRICES = 2 * (2 * 8 * 4 * 3 + 3 * 8 * 16)  # 1,152


def test_reading_by_hand():
    flops = 100 * (2 * MATRICES + 4 * 2 * 2 * 4 * 5)
    assert reading(TINY, ROUND, 100, 5, "bfloat16", gpus=4) == pytest.approx(flops / (4 * 0.5e12))


def test_learning_is_three_passes_of_the_layers_and_four_of_the_head():
    layers, head = 100 * (2 * MATRICES + 4 * 2 * 2 * 4 * 5), 60 * 2 * 32 * 8
    forward = layers / 0.5e12 + head / (1e12 * ROUND.head_efficiency)
    assert scoring(TINY, ROUND, BATCH, "bfloat16", 1) == pytest.approx(forward)
    backward = {again: learning(TINY, ROUND, BATCH, "bfloat16", 1, recompute=again) for again in (False, True)}
    assert backward[False] == pytest.approx(3 * layers / 0.5e12 + 4 * head / (1e12 * ROUND.head_efficiency))
    assert backward[True] - backward[False] == pytest.approx(layers / 0.5e12)


def test_a_decoding_step_is_bound_by_the_weights_then_by_the_flops_and_reads_the_cache():
    slow = ROUND.model_copy(update={"bandwidth_tb": 0.5})
    decoder = Decoder(TINY, slow, "bfloat16", gpus=1, cache=1e9, eager=False)
    weights, cache = 2 * (MATRICES + 32 * 8) / 0.5e12, 2 * 2 * 1 * 4 * 2 * 7 / 0.5e12
    flops = (2 * MATRICES + 4 * 2 * 2 * 4 * 7 + 2 * 32 * 8) / 1e12
    assert weights > flops and decoder.step(1, 7) == pytest.approx(weights + cache, abs=0)
    assert decoder.step(5000, 7) == pytest.approx(5000 * (flops + cache), abs=0)


def test_without_graphs_launches_bound_a_step():
    eager = Decoder(TINY, ROUND, "bfloat16", gpus=1, cache=1e9, eager=True)
    assert eager.step(1, 7) == pytest.approx(2 * ROUND.eager_layer_ms / 1000)


def test_what_does_not_fit_the_cache_waits_and_the_longest_ends_alone():
    token = TINY.kv_bytes()
    roomy, narrow = (Decoder(TINY, ROUND, "bfloat16", 1, cache=rows * 10 * token, eager=False) for rows in (10, 5))
    tail = 6 * roomy.step(1, 12)
    read = reading(TINY, ROUND, 40, 2, "bfloat16", 1)
    assert roomy.seconds(BATCH) == pytest.approx(read + 6 * roomy.step(10, 7) + tail)
    assert narrow.seconds(BATCH) == pytest.approx(read + 2 * 6 * roomy.step(5, 7) + tail)


def test_fp32_passes_run_without_tensor_cores():
    hardware = Hardware()
    times = [reading(TINY, hardware, 100, 5, precision, 1) for precision in ("float32", "bfloat16")]
    assert times[0] / times[1] == pytest.approx(989 / 67)


# ---------------------------------------------------------------------- against published estimates (H100, 8 GPUs)
def test_a_7b_step_of_the_entropy_paper_takes_two_to_three_minutes():
    """2,048 responses of 1,500 tokens: training 46 s, log-probs 15 s, generation 60 s, refilled 1.5 to 3 times.

    These count the head among the bf16 products; here its logits are formed in fp32, which is told apart below.
    """
    made = job("train_policy", "rule.none", **VLLM)
    found = step_phases(made)
    as_bf16 = made.config.model_copy(update={"hardware": Hardware(head_tflops=989)})
    like = step_phases(type(made)(as_bf16, made.artifact, made.team))
    assert like["update"] == pytest.approx(46, rel=0.1)
    assert like["old log-probabilities"] / 2 == pytest.approx(15, rel=0.1)
    assert like["generation"] / 2 == pytest.approx(60, rel=0.25)
    assert 110 < sum(like.values()) < 220
    assert sum(found.values()) > sum(like.values()) + 30


def test_a_32b_step_trains_for_two_minutes_on_32_gpus():
    network = Network(**facts("architectures")["Qwen/Qwen2.5-32B"])
    batch = Batch(2048, 256, 3900, 8192)
    assert learning(network, Hardware(head_tflops=989), batch, "bfloat16", 32, recompute=False) == pytest.approx(
        120, rel=0.2
    )


@pytest.mark.parametrize(
    ("repo", "sequences", "prompt", "response", "ms"),
    [
        ("HuggingFaceTB/SmolLM2-135M", 1024, 256, 1024, 0.41 + 6.04),
        ("Qwen/Qwen2.5-0.5B", 512, 128, 256, 0.65 + 0.54),
        ("Qwen/Qwen2.5-0.5B", 1024, 256, 1024, 1.35 + 3.22),
        ("Qwen/Qwen2.5-7B", 256, 256, 2048, 4.7 + 6.3),
    ],
)
def test_a_decoding_step_has_the_roof_of_an_h100_as_measured(repo, sequences, prompt, response, ms):
    """At 798 TFLOP/s and 3.0 TB/s, measured on one: the larger of weights and FLOPs, and the cache; all at once."""
    measured = Hardware(tflops=798, bandwidth_tb=3.0, decode_efficiency=1)
    decoder = Decoder(Network(**facts("architectures")[repo]), measured, "bfloat16", 1, cache=1e12, eager=False)
    assert 1000 * decoder.step(sequences, prompt + response / 2) == pytest.approx(ms, rel=0.05)


def test_160000_labels_of_the_72b_teacher_take_an_hour_and_a_half_on_eight_gpus():
    labels = job("label_rollouts")
    seconds = judging.seconds(labels, labels.network("teacher"), labels.settings["judging"], 160_000)
    assert seconds / 3600 == pytest.approx(1.4, rel=0.05)


# ------------------------------------------------------------------------------------------------ monotonicity
@pytest.mark.parametrize(
    ("phase", "less", "more"),
    [
        ("generation", {"rollout.max_tokens": 2048}, {"rollout.max_tokens": 4096}),
        ("generation", {"rollout.max_batches": 1}, {"rollout.max_batches": 2}),
        ("update", {"rollout.samples": 8}, {"rollout.samples": 16}),
        ("update", {"update.activation_checkpointing": False}, {"update.activation_checkpointing": True}),
        ("update", {"update.offload": "none"}, {"update.offload": "optimizer"}),
        ("generation", {"rollout.engine": "vllm"}, {"rollout.engine": "inprocess"}),
    ],
    ids=str,
)
def test_more_work_takes_longer(phase, less, more):
    short, long = (step_phases(job("train_policy", "rule.none", **VLLM | change))[phase] for change in (less, more))
    assert short < long


def test_the_phases_are_those_that_the_trainer_runs():
    plain = step_phases(job("train_policy", "rule.none", **TRAINED))
    assert set(plain) == {"generation", "old log-probabilities", "update", "between phases"}
    judged = step_phases(job("train_policy", "judge_soft.none", **TRAINED, **{"update.kl_coef": 0.01}))
    assert set(judged) - set(plain) == {"reward", "reference"}
    inprocess = step_phases(job("train_policy", "rule.none"))
    assert "old log-probabilities" not in inprocess
