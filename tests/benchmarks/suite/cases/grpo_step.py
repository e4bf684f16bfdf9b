"""One GRPO step (generation, rewards, advantages, updates) of our trainer against TRL's GRPOTrainer, on a CPU.

Fairness. Both sides train the same architecture from the same weights in one process and take turns; one thread, fp32,
AdamW fused, no KL, no dropout, clipping 0.2, the mean over tokens, the same prompts (the token ids are
compared), the same number of samples and of optimiser updates, the same reward, which costs nothing. Temperature 1, no
top-k or top-p.

The length of every response is given by one trace, the same for row i on both sides and checked after every
generation, since generation time follows length. `explored` has the quantiles of the nano scale's own exploration (half
of the responses have 2 tokens, the longest 32), `reasoned` those of longer answers (median 12, longest 32). How the
lengths are forced: `replay.py`; it costs us nothing and TRL two in-place operations a token.

TRL computes old log-probabilities in a pass of their own where several updates follow a rollout, and needs none with
one update. So the rows with a target compare 1 update with no such pass on either side, and 4 updates with the pass on
both, although ours does not need it: it has them from its own sampling. The row `as shipped` is without our pass.

TRL runs as its users would tune it for this: no gradient checkpointing, no logging, saving or progress bar, no data
loader workers, the whole mini-batch in one micro-batch, its fused head. Its trainer is set up once (`turns.py`), and
fetching the next batch is not counted. Phases: what TRL's rollout does beside generation and old log-probabilities
(rewards, padding) counts in the step alone, and so does the same on our side.

The share is that of the useful operations (`flops.py`: no padding, prompts once per group) in what a matrix product of
1024 x 1024 could do in the CPU seconds of our step, both measured in this run. What limits our side is the profile of
one more of our steps, after those that count.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.suite import materials
from tests.benchmarks.suite.flops import Shape, peak_share, step_flops
from tests.benchmarks.suite.grpo_sides import GENERATION, OLD, UPDATE, Ours, Theirs, Work, sides
from tests.benchmarks.suite.measure import Row, alternate, gemm_peak
from tests.benchmarks.suite.profile import profiled
from tests.benchmarks.suite.replay import EXPLORED, REASONED, draw_lengths

GROUP, OURS, OTHER, CPU = "GRPO step", "ours", "TRL GRPOTrainer", "cpu, 1 thread"
TRACES = {"explored": EXPLORED, "reasoned": REASONED}
PHASES = (GENERATION, OLD, UPDATE)


@dataclass(frozen=True)
class Case:
    """A comparison, its repetitions and warm-up steps, and the ratio to reach."""

    name: str
    work: Work
    repetitions: int
    warm_up: int
    target: float | None = None


def rows(quick: bool) -> Iterator[Row]:
    for case in nano_cases(quick):
        yield from measured(case)
    if not quick:
        yield from measured(smollm2_case())


def nano_work(trace: str = "reasoned", updates: int = 4, old_pass: bool = True, material=None) -> Work:
    """32 prompts x 8 samples of at most 32 tokens, as config/nano.yaml has it."""
    return Work(
        material=material or materials.nano_policy(),
        lengths=draw_lengths(TRACES[trace], 256),
        samples=8,
        updates=updates,
        old_pass=old_pass,
        max_tokens=32,
    )


def smollm2_work() -> Work:
    """4 prompts x 4 samples of at most 32 tokens, one update."""
    return Work(
        material=materials.smollm2("policy_direct"),
        lengths=draw_lengths(REASONED, 16),
        samples=4,
        updates=1,
        old_pass=False,
        max_tokens=32,
    )


def nano_cases(quick: bool) -> Iterator[Case]:
    material, repetitions = materials.nano_policy(), 2 if quick else 9
    for trace in ["reasoned"] if quick else TRACES:
        for updates, old_pass, kind, target in (
            (1, False, "no old log-probabilities", 1.8),
            (4, True, "old log-probabilities in both", 1.8),
            (4, False, "as shipped", None),
        ):
            work = nano_work(trace, updates, old_pass, material)
            name = f"nano, {trace} lengths, {updates} update{'s' if updates > 1 else ''}, {kind}"
            yield Case(name, work, repetitions, 1 if quick else 2, target)


def smollm2_case() -> Case:
    name = "SmolLM2-135M, reasoned lengths, 1 update, no old log-probabilities"
    return Case(name, smollm2_work(), 3, 1)


def measured(case: Case) -> Iterator[Row]:
    """The row of the step, and one of each phase that both sides have."""
    ours, theirs, prompts = sides(case.work)
    count = case.repetitions
    values = alternate(ours, theirs, count, case.warm_up)
    cpu = [side.column("cpu", count) for side in (ours, theirs)]
    shape = Shape.of(case.work.material.model.config)
    flops = step_flops(shape, prompts, case.work.samples, case.work.lengths, old_pass=case.work.old_pass)
    found = phase_rows(case, ours, theirs)
    yield Row(
        GROUP,
        case.name,
        OURS,
        OTHER,
        "s",
        *values,
        CPU,
        peak_share=peak_share(flops, median(cpu[0]), gemm_peak()),
        limit=profiled(ours).line(),
        note=f"in CPU seconds {median(cpu[1]) / median(cpu[0]):.2f} x; {flops / 1e9:.2f} GFLOP a step are needed",
        target=case.target,
    )
    yield from found


def phase_rows(case: Case, ours: Ours, theirs: Theirs) -> list[Row]:
    rows = []
    for phase in PHASES:
        found = [side.column(phase, case.repetitions) for side in (ours, theirs)]
        if phase == OLD and not case.work.old_pass:
            continue
        rows.append(Row(f"{GROUP}: {phase}", case.name, OURS, OTHER, "s", *found, CPU))
    return rows
