"""Training backends: who holds weights, gradients and optimiser state, and how an update is applied.

`single` is one process. `zero2` and `zero3` share the work among the ranks of a job with DeepSpeed; their files
`config/deepspeed/<name>.json` belong to the code. All give the same update up to rounding, and one checkpoint format
serves them all.
"""

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

    from workflow_scripts.ranks import Ranks
    from workflow_scripts.rl.settings import UpdateSettings

BACKENDS = {
    "single": "workflow_scripts.rl.backends.single",
    "zero2": "workflow_scripts.rl.backends.zero",
    "zero3": "workflow_scripts.rl.backends.zero",
}

MOMENTS = ("exp_avg", "exp_avg_sq")  # of AdamW
State = tuple[str, dict[str, "torch.Tensor"]]


class Backend(Protocol):
    """Collective on all ranks: each one makes the same calls in the same order."""

    updates: int  # updates applied so far
    rollout_model: Any  # a Hugging Face model with full weights, as of the last `refresh`, to sample from and to save

    def forward(
        self, prompts: list[list[int]], tokens: "torch.Tensor", mask: "torch.Tensor", temperature: float = 1.0
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        """`(log_probs, entropy)` (B, T) of this rank's micro-batch, see `Policy`."""
        ...

    def backward(self, loss: "torch.Tensor") -> None:
        """Add the gradient of this rank's share of the loss; the shares of all micro-batches and ranks add up."""
        ...

    def step(self, lr: float) -> float:
        """Clip, update, clear the gradient. Returns its norm before clipping; not finite: no update was made."""
        ...

    def refresh(self) -> None:
        """Bring `rollout_model` up to date."""
        ...

    def weights(self, bucket_bytes: int = 2**29) -> "Iterator[tuple[str, torch.Tensor]]":
        """Hugging Face names, tied ones once, and full tensors in the precision of the passes, gathered bucket by
        bucket; each is valid until the next item.
        """
        ...

    def state(self) -> Iterator[State]:
        """Per parameter its name and its fp32 tensors on the CPU: `param`, `exp_avg`, `exp_avg_sq`."""
        ...

    def load(self, state: Iterator[State], updates: int) -> None:
        """Go on where `state()` was taken after `updates` updates, whatever backend and world size that was."""
        ...


def parameter_groups(model: Any, weight_decay: float) -> list[Any]:
    """What an optimiser is given: weight decay pulls on matrices, never on biases and the scales of norms."""
    if not weight_decay:
        return list(model.parameters())
    matrices = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    others = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def make_backend(
    model: Any, update: "UpdateSettings", ranks: "Ranks", vocabulary: Any = None, rollout_copy: bool = True
) -> Backend:
    """The backend that the settings name, on `model` with the weights to start from.

    Without `rollout_copy`, ZeRO-3 keeps no whole copy of the weights to sample from: `rollout_model` is None.
    """
    return importlib.import_module(BACKENDS[update.backend]).build(model, update, ranks, vocabulary, rollout_copy)
