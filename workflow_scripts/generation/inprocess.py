"""Sampling with the trainer's own weights, in its own process.

What makes it quick: a prompt runs once and its cache is repeated for its samples; the head sees only last positions;
rows that have ended leave the batch (decoder.py); prompts of like length go together. Each response has its own row of
uniform numbers, drawn before the first token, so what it becomes does not depend on which other rows have ended.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from workflow_scripts.generation import EngineSettings, Generation, end_tokens, texts
from workflow_scripts.generation.decoder import NOTHING, Decoder, Work

KEPT = 0.1  # of a device's memory: a cache that takes less stays where it is, and so do the graphs that point to it


def build(model: Any, tokenizer: Any, settings: EngineSettings) -> "InProcessEngine":
    """An engine on `model` and `tokenizer`; it reads the weights anew at each call."""
    return InProcessEngine(model, tokenizer, getattr(torch, settings.precision))


def from_folder(folder: Path, tokenizer: Any, settings: EngineSettings) -> "InProcessEngine":
    """An engine with the weights of a directory, on this rank's GPU where there is one."""
    from workflow_scripts.models.loading import load_model

    model = load_model(folder, settings.precision)
    return InProcessEngine(model.to("cuda") if torch.cuda.is_available() else model, tokenizer)


class InProcessEngine:
    shares_weights = True

    def __init__(self, model: Any, tokenizer: Any, dtype: torch.dtype | None = None) -> None:
        """`dtype` of the matrices while it samples, for the models that can (`passes_of`); None: the model's own."""
        self.model, self.tokenizer, self.version = model, tokenizer, 0
        self.device = next(model.parameters()).device
        ends = end_tokens(getattr(model.generation_config, "eos_token_id", None), tokenizer)
        ends = torch.tensor(ends, dtype=torch.long, device=self.device)
        self.decoder = Decoder(model, ends, len(tokenizer), dtype)

    def load(self, weights: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        """Nothing moves: the weights are the model's."""
        self.version = version

    def sleep(self) -> None:
        """Give back the cache, unless it is small for its device."""
        self.decoder.release(KEPT)

    def close(self) -> None:
        """The model stays with the trainer."""
        self.decoder.release()

    @torch.inference_mode()
    def generate(
        self, prompts: list[list[int]], *, samples: int, max_tokens: int, temperature: float, seed: int, first: int = 0
    ) -> Generation:
        """See `RolloutEngine`; the result is on the CPU, its width is the longest response."""
        rows = len(prompts) * samples
        drawn = torch.rand(first * samples + rows, max_tokens, generator=torch.Generator().manual_seed(seed))
        by_length = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        work = [Work(prompts[index], index * samples, samples) for index in by_length]
        was_training = self.model.training
        self.model.eval()
        found = self.decoder.run(work, drawn[first * samples :], temperature)
        self.model.train(was_training)
        return self._finish(*(part.cpu() for part in found))

    def _finish(self, tokens: torch.Tensor, log_probs: torch.Tensor, entropy: torch.Tensor) -> Generation:
        lengths = (tokens != NOTHING).sum(dim=1)
        width = int(lengths.max()) if len(tokens) else 0
        tokens, mask = tokens[:, :width], torch.arange(width) < lengths[:, None]
        last = tokens.gather(1, (lengths - 1)[:, None]).squeeze(1)
        rows = [row[:length] for row, length in zip(tokens.tolist(), lengths.tolist(), strict=True)]
        return Generation(
            tokens=tokens.masked_fill(~mask, self.tokenizer.pad_token_id),
            mask=mask,
            text=texts(self.tokenizer, rows),
            truncated=~torch.isin(last, self.decoder.ends.cpu()),
            log_probs=log_probs[:, :width].clone(),
            entropy=entropy[:, :width].clone(),
            version=self.version,
        )
