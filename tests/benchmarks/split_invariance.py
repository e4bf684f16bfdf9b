"""How much does the split of an update change it? `python tests/benchmarks/split_invariance.py`

Four clipped updates of the tests' nano policy (entropy bonus and KL in the loss), split in every way: backend x ranks x
tokens per micro-batch. Printed per loss: the largest relative difference of the weights, as one vector, from one
process with one micro-batch, and of weights and moments.
"""

import tempfile
from pathlib import Path

import torch

from tests.e2e.test_backends import CLIP_COV, KL_COV, difference, run

LOSSES = {"clip_cov, token-mean": CLIP_COV, "kl_cov, seq-mean-token-mean": KL_COV}
BUDGETS = (100000, 200, 60)


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    for title, loss in LOSSES.items():
        found = {}
        for world, backends in ((1, ("single", "zero2", "zero3")), (2, ("zero2", "zero3"))):
            names = {f"{backend} x {world}, {budget}": (backend, budget) for backend in backends for budget in BUDGETS}
            cases = {
                name: {"backend": backend, "budget": budget, "loss": loss} for name, (backend, budget) in names.items()
            }
            found |= run(folder, world, cases)
        reference = found["single x 1, 100000"][0]
        everything = {
            name: (weights(tensors, reference), difference(tensors, reference)) for name, (tensors, _) in found.items()
        }
        worst = max(everything, key=lambda name: everything[name][0])
        print(
            f"{title}: {len(found)} splits, weights differ by at most {everything[worst][0]:.1e} ({worst}),"
            f" weights and moments by {max(both for _, both in everything.values()):.1e}"
        )


def weights(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    names = sorted(name for name in ours if name.endswith("|param"))
    one, two = (torch.cat([tensors[name].flatten().double() for name in names]) for tensors in (ours, theirs))
    return float((one - two).norm() / two.norm())


if __name__ == "__main__":
    main()
