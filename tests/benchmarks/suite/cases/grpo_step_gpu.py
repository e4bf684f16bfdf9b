"""One GRPO step of our trainer against TRL's GRPOTrainer on one GPU, in bf16, without vLLM on either side.

Fairness is kept as in `grpo_step`: the same weights, prompts, samples, updates, reward and response lengths; TRL with
bf16, its fused head, no gradient checkpointing, the whole mini-batch in one pass. 32 prompts x 16 samples, at most 256
tokens, 4 updates with old log-probabilities in both; ours packs its sequences. SmolLM2-135M has its own weights,
Qwen2.5-0.5B's architecture random ones.

Two rows of the 0.5B model have a target for the hardware's share, measured in this run: training (the update: useful
operations against a bf16 matrix product of 8192 x 8192) and generation (against the decode roofline of `flops.py` with
that product and the bandwidth of a copy). Without a GPU all rows stay empty. No run on a GPU has been made yet.
"""

from collections.abc import Iterator
from statistics import median

from tests.benchmarks.suite import materials
from tests.benchmarks.suite.flops import Shape, generation_seconds, peak_share, responses_flops
from tests.benchmarks.suite.grpo_sides import GENERATION, UPDATE, Work, sides
from tests.benchmarks.suite.measure import Row, alternate, copy_bandwidth, empty_row, gemm_peak
from tests.benchmarks.suite.replay import REASONED, draw_lengths

GROUP, OURS, OTHER, DEVICE = "GRPO step on a GPU", "ours", "TRL GRPOTrainer without vLLM", "cuda, bf16"
MODELS = {"SmolLM2-135M": materials.smollm2, "Qwen2.5-0.5B's architecture": materials.half_billion}
LARGEST = "Qwen2.5-0.5B's architecture"
TARGET, TRAINING, DECODING = 2.0, 0.4, 0.3  # times TRL, MFU, share of the decode roofline
REPETITIONS, WARM_UP = 5, 2


def rows(quick: bool) -> Iterator[Row]:
    import torch

    for name in MODELS:
        case = f"{name}, 4 updates, old log-probabilities in both"
        if not torch.cuda.is_available():
            yield empty_row(GROUP, case, OURS, OTHER, device=DEVICE, target=TARGET)
            if name == LARGEST:
                yield empty_row(f"{GROUP}: {UPDATE}", case, OURS, OTHER, device=DEVICE, peak_target=TRAINING)
                yield empty_row(f"{GROUP}: {GENERATION}", case, OURS, OTHER, device=DEVICE, peak_target=DECODING)
        else:
            yield from measured(name, case, work(name, quick), 2 if quick else REPETITIONS)


def work(name: str, quick: bool) -> Work:
    groups, samples = (4, 4) if quick else (32, 16)
    return Work(
        material=MODELS[name]("policy_direct"),
        lengths=draw_lengths(REASONED, groups * samples, scale=8.0),
        samples=samples,
        updates=4,
        old_pass=True,
        max_tokens=256,
        device="cuda",
        bfloat16=True,
        packing=True,
        micro_batch_tokens=65536,
    )


def measured(name: str, case: str, work: Work, count: int) -> Iterator[Row]:
    import torch

    ours, theirs, prompts = sides(work)
    values = alternate(ours, theirs, count, WARM_UP)
    found = {phase: [side.column(phase, count) for side in (ours, theirs)] for phase in (UPDATE, GENERATION)}
    shape, asked = Shape.of(work.material.model.config), (prompts, work.samples, work.lengths)
    peak, bandwidth = gemm_peak("cuda", torch.bfloat16), copy_bandwidth()
    training = peak_share(3 * responses_flops(shape, *asked), median(found[UPDATE][0]), peak)
    least = generation_seconds(shape, *asked, bandwidth=bandwidth, peak=peak)
    largest = name == LARGEST
    note = f"{peak / 1e12:.0f} TFLOP/s, {bandwidth / 1e12:.2f} TB/s"
    yield Row(GROUP, case, OURS, OTHER, "s", *values, DEVICE, note=note, target=TARGET)
    yield Row(
        f"{GROUP}: {UPDATE}",
        case,
        OURS,
        OTHER,
        "s",
        *found[UPDATE],
        DEVICE,
        peak_share=training,
        peak_target=TRAINING if largest else None,
    )
    yield Row(
        f"{GROUP}: {GENERATION}",
        case,
        OURS,
        OTHER,
        "s",
        *found[GENERATION],
        DEVICE,
        peak_share=least / median(found[GENERATION][0]),
        peak_target=DECODING if largest else None,
        note="share of the decode roofline",
    )
