"""Rollouts: one protocol, several engines.

An engine samples responses from a causal language model. `make_engine` builds the one that a config names, on a model
whose weights it shares or is given; `open_engine` on those of a directory.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

ENGINES = {
    "inprocess": "workflow_scripts.generation.inprocess",
    "vllm": "workflow_scripts.generation.vllm_engine",
}


@dataclass(frozen=True)
class EngineSettings:
    """How a model is run where it generates (config/network_models.py says what each setting means)."""

    engine: str = "inprocess"
    tensor_parallel: int = 1
    precision: str = "float32"
    gpu_memory: float = 0.9


@dataclass(frozen=True)
class Generation:
    """B = prompts * samples responses, the samples of one prompt adjacent.

    `tokens` (B, T) int64, padded on the right; `mask` (B, T) bool, True on generated tokens, the end token included;
    `text` without special tokens; `truncated` (B,) bool: the length limit came before an end token; `log_probs` (B, T)
    of the sampled tokens as the engine computes them, at the sampling temperature (at 1 for greedy decoding), zero
    under the mask. An engine that shares the trainer's weights also returns `entropy` (B, T) of the next-token
    distribution at temperature 1, in nats. `version`: of the weights, as they were loaded.
    """

    tokens: "torch.Tensor"
    mask: "torch.Tensor"
    text: list[str]
    truncated: "torch.Tensor"
    log_probs: "torch.Tensor | None" = None
    entropy: "torch.Tensor | None" = None
    version: int = 0

    @property
    def lengths(self) -> "torch.Tensor":
        """Generated tokens per response (B,), the end token included."""
        return self.mask.sum(dim=-1)


class RolloutEngine(Protocol):
    shares_weights: bool  # whether it reads the weights of the model that is trained, so that a load moves none

    def generate(
        self, prompts: list[list[int]], *, samples: int, max_tokens: int, temperature: float, seed: int, first: int = 0
    ) -> Generation:
        """Sample `samples` responses of at most `max_tokens` tokens to each tokenized prompt.

        Temperature 0 decodes greedily. Equal arguments and weights give equal results. `first` prompts of the batch
        are sampled elsewhere: the random numbers are those of the places after them.
        """
        ...

    def load(self, weights: "Iterable[tuple[str, torch.Tensor]]", version: int) -> None:
        """Sample with these weights from now on: Hugging Face names, tied parameters once. Wakes the engine up."""
        ...

    def sleep(self) -> None:
        """Give back what the engine holds on a GPU, until the next `load`."""
        ...

    def close(self) -> None:
        """End the engine. A second call does nothing."""
        ...


def make_engine(settings: EngineSettings, model: Any, tokenizer: Any) -> RolloutEngine:
    """The engine that the settings name for `model`. One that does not share its weights waits for the first `load`.

    Every rank of the job must call. Raises ValueError on an unknown name.
    """
    return _module(settings).build(model, tokenizer, settings)


def open_engine(settings: EngineSettings, folder: Path, tokenizer: Any) -> RolloutEngine:
    """The engine that the settings name, with the weights of a model directory. Every rank of the job must call.

    Raises ValueError on an unknown name.
    """
    return _module(settings).from_folder(folder, tokenizer, settings)


def _module(settings: EngineSettings) -> Any:
    if settings.engine not in ENGINES:
        raise ValueError(f"unknown rollout engine {settings.engine!r}, allowed: {', '.join(ENGINES)}")
    return importlib.import_module(ENGINES[settings.engine])


def texts(tokenizer: Any, rows: list[list[int]]) -> list[str]:
    """Rows of token ids as text, without special tokens. (The tokenizer makes one text of no rows.)"""
    return tokenizer.batch_decode(rows, skip_special_tokens=True) if rows else []


def end_tokens(model_ends: int | list[int] | None, tokenizer: Any) -> list[int]:
    """Ids that end a response: those of the model's generation config and the tokenizer's own."""
    ends = model_ends if isinstance(model_ends, list) else [model_ends]
    return sorted({tokenizer.eos_token_id, *ends} - {None})
