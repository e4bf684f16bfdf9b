"""Rollouts: one protocol, several engines.

An engine samples responses from a causal language model. `make_engine` builds the one that a config names.
"""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

ENGINES = {"inprocess": "workflow_scripts.generation.inprocess"}


@dataclass(frozen=True)
class Generation:
    """B = prompts * samples responses, the samples of one prompt adjacent.

    `tokens` (B, T) int64, padded on the right; `mask` (B, T) bool, True on generated tokens, the end token included;
    `text` without special tokens; `truncated` (B,) bool: the length limit came before an end token. An engine that
    runs the trainer's own weights also returns, zero under the mask, `log_probs` (B, T) of the sampled tokens at the
    sampling temperature (at 1 for greedy decoding) and `entropy` (B, T) of the next-token distribution at temperature
    1, in nats; for any other engine both are None.
    """

    tokens: "torch.Tensor"
    mask: "torch.Tensor"
    text: list[str]
    truncated: "torch.Tensor"
    log_probs: "torch.Tensor | None" = None
    entropy: "torch.Tensor | None" = None

    @property
    def lengths(self) -> "torch.Tensor":
        """Generated tokens per response (B,), the end token included."""
        return self.mask.sum(dim=-1)


class RolloutEngine(Protocol):
    def generate(
        self, prompts: list[list[int]], *, samples: int, max_tokens: int, temperature: float, seed: int, first: int = 0
    ) -> Generation:
        """Sample `samples` responses of at most `max_tokens` tokens to each tokenized prompt.

        Temperature 0 decodes greedily. Equal arguments and weights give equal results. `first` prompts of the batch
        are sampled elsewhere: the random numbers are those of the places after them.
        """
        ...


def make_engine(name: str, model: Any, tokenizer: Any) -> RolloutEngine:
    """The engine called `name` on this model. Raises ValueError on an unknown name."""
    if name not in ENGINES:
        raise ValueError(f"unknown rollout engine {name!r}, allowed: {', '.join(ENGINES)}")
    return importlib.import_module(ENGINES[name]).build(model, tokenizer)
