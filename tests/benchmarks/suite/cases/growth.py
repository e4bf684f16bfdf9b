"""How the time of one RL step grows with batch, response length and model size: twice the work over once.

No peer here: "ours" is a step, "other" the same step with one thing doubled, so that a row's ratio is the growth and
2 is in proportion; below 2, twice the work costs less than twice the time. Both are our Trainer at nano scale as in
`grpo_step` (real sampling, 4 updates, no pass for old log-probabilities, lengths replayed from the trace `reasoned`),
in one process on one thread, in turn. Twice the width has four times the weights in its layers. Positions are as many
as the longest case needs, for all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

from tests.benchmarks.suite.grpo_sides import GENERATION, UPDATE, Ours, Work
from tests.benchmarks.suite.materials import NANO, Material, questions
from tests.benchmarks.suite.measure import Row, alternate
from tests.benchmarks.suite.replay import REASONED, draw_lengths

GROUP = "growth of a step"
POSITIONS, SAMPLES = 256, 8


@dataclass(frozen=True)
class Size:
    prompts: int = 32
    max_tokens: int = 32
    width: int = 64
    layers: int = 2

    def doubled(self, name: str) -> "Size":
        return replace(self, **{name: 2 * getattr(self, name)})


NAMES = {
    "prompts": "{} prompts x 8 samples",
    "max_tokens": "at most {} tokens",
    "width": "width {}",
    "layers": "{} layers",
}
LIMITS = {
    "prompts": "products and attention over all rows; what a step costs once shows below 2",
    "max_tokens": "a decoding step per token of the longest response, whose attention grows with the length",
    "width": "four times the operations in the layers, two times in attention and norms, none more in the logits",
    "layers": "the layers; embedding, head and sampling stay",
}


def rows(quick: bool) -> Iterator[Row]:
    import torch

    torch.set_num_threads(1)
    for name in NAMES:
        size = Size(prompts=4) if quick else Size()
        for _ in range(1 if quick else 2):
            yield from _doubled(size, name, repetitions=2 if quick else 5)
            size = size.doubled(name)


def _doubled(size: Size, name: str, repetitions: int) -> Iterator[Row]:
    pair = [size, size.doubled(name)]
    steps = [Ours(_work(one)) for one in pair]
    values = alternate(*steps, repetitions)
    cpu = [median(step.column("cpu", repetitions)) for step in steps]
    phases = [f"{phase} {_growth(steps, phase, repetitions):.2f} x" for phase in (GENERATION, UPDATE)]
    note = f"in CPU seconds {cpu[1] / cpu[0]:.2f} x; {', '.join(phases)}"
    once, twice = (NAMES[name].format(getattr(one, name)) for one in pair)
    yield Row(
        GROUP, f"{once} to {getattr(pair[1], name)}", once, twice, "s", *values, "cpu", limit=LIMITS[name], note=note
    )


def _growth(steps: list[Ours], phase: str, repetitions: int) -> float:
    once, twice = (median(step.column(phase, repetitions)) for step in steps)
    return twice / once


def _work(size: Size) -> Work:
    lengths = draw_lengths(REASONED, size.prompts * SAMPLES, scale=size.max_tokens / 32)
    return Work(_policy(size), lengths, SAMPLES, updates=4, old_pass=False, max_tokens=size.max_tokens)


def _policy(size: Size) -> Material:
    from workflow_scripts.models.scratch import build_model
    from workflow_scripts.models.tokenizer import train_tokenizer

    sizes = {"width": size.width, "mlp": 4 * size.width, "heads": size.width // 16, "layers": size.layers}
    prompts = questions(2000)["prompt"]
    tokenizer = train_tokenizer(prompts, NANO["vocab"], POSITIONS)
    model = build_model({**NANO, **sizes, "positions": POSITIONS}, tokenizer, seed=0).eval()
    return Material("nano policy", model, tokenizer, "policy_nano")
