"""What a backend keeps of small numbers in bfloat16, started by torchrun or python: one JSON case per line of the file.

A case: `backend` and `out`. All ranks pass the same sequences, so that shares of a gradient differ by their factor
only, a power of two, which no precision rounds.
"""

import json
from pathlib import Path

import torch

from tests.ranks import work
from tests.rl_nano import nano_policy
from workflow_scripts.rl.backends import make_backend
from workflow_scripts.rl.settings import UpdateSettings

SMALL, COUNT = 2.0**-10, 16  # a share that bfloat16 loses beside 1, and how many of them
TINY = 1e-7  # relative change of a weight per update, or more
UPDATES = 5


def settings(case: dict, lr: float) -> UpdateSettings:
    return UpdateSettings(1, lr, precision="bfloat16", backend=case["backend"], max_grad_norm=1e9)


def made(case: dict, ranks, lr: float):
    return make_backend(nano_policy()[0], settings(case, lr), ranks)


def shares(world: int) -> list[list[float]]:
    """Factors of the passes of each rank: 1 and COUNT small ones in all, as many passes each."""
    factors = [1.0] + [SMALL] * COUNT
    factors += [0.0] * (-len(factors) % world)
    return [factors[rank::world] for rank in range(world)]


def accumulate(backend, factors: list[float]) -> None:
    prompts, tokens = [[7, 8, 9], [10, 11]], torch.tensor([[20, 21, 22], [23, 24, 0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    for factor in factors:
        log_probs, _ = backend.forward(prompts, tokens, mask)
        backend.backward(factor * log_probs.sum())


def layers(backend, key: str) -> torch.Tensor:
    """The matrices of the layers as one vector; every one of their weights has a gradient."""
    found = [tensors[key] for name, tensors in backend.state() if ".layers." in name and tensors[key].dim() == 2]
    return torch.cat([tensor.flatten().double() for tensor in found])


def run(case: dict, ranks) -> None:
    model = nano_policy()[0]
    frequencies = {name: buffer.clone() for name, buffer in model.named_buffers()}
    make_backend(model, settings(case, 0.0), ranks)
    for name, buffer in model.named_buffers():  # far positions would be turned elsewhere
        assert torch.equal(buffer, frequencies[name]), name
    moments = []
    for factors in ([1.0] + [0.0] * (ranks.world - 1), None):
        backend = made(case, ranks, 0.0)
        accumulate(backend, shares(ranks.world)[ranks.rank] if factors is None else [factors[ranks.rank]])
        backend.step(0.0)
        moments.append(layers(backend, "exp_avg"))
    backend = made(case, ranks, 1.0)
    before = layers(backend, "param")
    rate = TINY * float(before.abs().mean())
    watched = before.abs() <= rate / TINY  # half the distance of fp32 numbers is 6e-8 of them
    for _ in range(UPDATES):
        accumulate(backend, [1.0])
        backend.step(rate)
    moved = (layers(backend, "param") - before)[watched]
    if ranks.first:
        alone, together = moments
        figures = {
            "gained": float((together @ alone) / (alone @ alone)) - 1,
            "spread": float((together - (1 + SMALL * COUNT) * alone).norm() / alone.norm()),
            "moved": float(moved.abs().mean()) / (UPDATES * rate),
            "unmoved": float((moved == 0).double().mean()),
        }
        Path(case["out"]).write_text(json.dumps(figures))


if __name__ == "__main__":
    work(run)
