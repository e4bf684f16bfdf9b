"""Training backends: who holds weights, gradients and optimiser state, and how an update is applied.

`single` is one process. `zero2` and `zero3` share the work among the ranks of a job with DeepSpeed; their files
`config/deepspeed/<name>.json` belong to the code. All give the same update up to rounding, and one checkpoint format
serves them all. Under `zero3` no rank ever holds a whole model: `load` takes each layer from the files to all ranks'
parts of it, and `weights` gathers a few at a time.
"""

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
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

# What each can leave in the memory of the CPU: nothing, the optimiser's state, or the weights as well.
OFFLOADS = {"single": ("none",), "zero2": ("none", "optimizer"), "zero3": ("none", "optimizer", "all")}

MOMENTS = ("exp_avg", "exp_avg_sq")  # of AdamW
BUCKET_BYTES = 2**29  # of weights that are gathered at a time
State = tuple[str, dict[str, "torch.Tensor"]]


class Backend(Protocol):
    """Collective on all ranks: each one makes the same calls in the same order."""

    updates: int  # updates applied so far
    rollout_model: Any  # a Hugging Face model with full weights, as of the last `refresh`, to sample from; or None

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

    def weights(self, bucket_bytes: int = BUCKET_BYTES) -> "Iterator[tuple[str, torch.Tensor]]":
        """Hugging Face names and whole tensors, in the precision of the passes, tied ones once; the same on all ranks.

        Each is valid until the next one is asked for. About `bucket_bytes` of them are held at a time.
        """
        ...

    def save(self, folder: Path, tokenizer: Any) -> None:
        """The first rank writes `weights()` and the tokenizer as an ordinary Hugging Face directory."""
        ...

    def state(self) -> Iterator[State]:
        """Per parameter its name and its fp32 tensors: `param`, `exp_avg`, `exp_avg_sq`."""
        ...

    def load(self, state: Iterable[State], updates: int) -> None:
        """Go on where `state()` was taken after `updates` updates, whatever backend and world size that was.

        `state` may be gone through more than once.
        """
        ...


def parameter_groups(parameters: "Iterable[torch.Tensor]", weight_decay: float) -> list[Any]:
    """What an optimiser is given: weight decay pulls on matrices, never on biases and the scales of norms."""
    everything = list(parameters)
    if not weight_decay:
        return everything
    matrices = [parameter for parameter in everything if parameter.dim() >= 2]
    others = [parameter for parameter in everything if parameter.dim() < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def load_start(path: Path, update: "UpdateSettings") -> Any:
    """The model of a directory, to be given to `make_backend` or `make_reference`: whole, or as this rank's parts.

    ValueError if it is no model directory.
    """
    return importlib.import_module(BACKENDS[update.backend]).load(path, update)


def make_backend(
    model: Any, update: "UpdateSettings", ranks: "Ranks", vocabulary: Any = None, rollout_copy: bool = True
) -> Backend:
    """The backend that the settings name, on `model` with the weights to start from.

    `rollout_copy`: whether `rollout_model` is sampled from, so that ZeRO-3 must keep a whole copy of the weights.
    """
    module = importlib.import_module(BACKENDS[update.backend])
    return module.build(model, update, ranks, vocabulary, rollout_copy)


def make_reference(model: Any, update: "UpdateSettings", vocabulary: Any = None) -> Any:
    """A `forward` like `Backend.forward` on weights that stay as they are, in the precision of the trained ones."""
    return importlib.import_module(BACKENDS[update.backend]).reference(model, update, vocabulary)
