"""The judge's network in this process: one forward pass per batch, or a few over rows of like lengths; no sampling.

The tokens that all prompts of a call begin with, a template's instruction, are read once. Only the last real position
of each right-padded row is asked for: under causal attention the padding behind it cannot reach it. Nothing is kept
between calls: the batch that a prompt is scored in decides the last bits of its probability, and a resumed run must
meet the same batches as an unbroken one.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from workflow_scripts.models.fused import FusedDecoder, fits
from workflow_scripts.models.loading import load_model
from workflow_scripts.rewards.judge_engines import EngineSettings, Job
from workflow_scripts.rewards.verdict_tokens import VerdictTokens
from workflow_scripts.rl.forward import ModelPasses, Passes, like_lengths
from workflow_scripts.rl.fused_passes import FusedPasses

LEAST_SHARED = 32  # tokens; reading fewer of them again costs less than a mask does


class InProcessEngine:
    """A loaded causal language model, asked `batch` prompts at a time."""

    def __init__(self, model: Any, batch: int = 256, passes: Passes | None = None) -> None:
        """`passes` through the model's layers: by default its own."""
        self.model, self.batch = model, batch
        self._passes = passes or ModelPasses(model)

    @torch.inference_mode()
    def probabilities(self, prompts: list[list[int]], tokens: VerdictTokens) -> tuple[np.ndarray, np.ndarray]:
        yes, no = np.zeros(len(prompts)), np.zeros(len(prompts))
        shared = shared_length(prompts)
        if shared:
            self._passes.prompts(torch.tensor([prompts[0][:shared]], device=self._device), self._places([shared - 1]))
        rows = [prompt[shared:] for prompt in prompts]
        order = sorted(range(len(rows)), key=lambda index: (len(rows[index]), index))  # little padding in a batch
        for start in range(0, len(order), self.batch):
            part = order[start : start + self.batch]
            for alike in like_lengths([len(rows[index]) for index in part]):
                chosen = [part[place] for place in alike]
                yes[chosen], no[chosen] = self._forward([rows[index] for index in chosen], shared, tokens)
        return yes, no

    def _forward(self, rows: list[list[int]], shared: int, tokens: VerdictTokens) -> tuple[np.ndarray, np.ndarray]:
        """Of prompts without the `shared` tokens that were read before."""
        width = max(map(len, rows))
        padded = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=self._device)
        ends = self._places([index * width + len(row) - 1 for index, row in enumerate(rows)])
        if shared:
            states = self._passes.responses(padded, torch.zeros_like(ends), self._places([shared]), ends)
        else:
            states = self._passes.whole(padded, ends)
        log_probabilities = self.model.get_output_embeddings()(states[: len(rows)]).float().log_softmax(-1)
        yes, no = (log_probabilities[:, list(ids)].exp().sum(-1) for ids in (tokens.yes, tokens.no))
        return yes.double().cpu().numpy(), no.double().cpu().numpy()

    def _places(self, places: list[int]) -> torch.Tensor:
        return torch.tensor(places, device=self._device)

    @property
    def _device(self) -> torch.device:
        return self.model.get_input_embeddings().weight.device

    def close(self) -> None:
        """Give the memory of a GPU back, for the next model or for a server that shares it."""
        if torch.cuda.is_available():
            self.model = self._passes = None
            torch.cuda.empty_cache()


def shared_length(prompts: list[list[int]]) -> int:
    """Tokens that all prompts begin with, each having more; 0 where they are fewer than LEAST_SHARED."""
    if len(prompts) < 2:
        return 0
    first, last = min(prompts), max(prompts)  # what these two share, all in between share
    most = min(map(len, prompts)) - 1
    found = next((place for place in range(most) if first[place] != last[place]), most)
    return found if found >= LEAST_SHARED else 0


def build(model_dir: Path, settings: EngineSettings, job: Job) -> InProcessEngine:
    """On this rank's GPU where there is one. Every rank has a copy of its own."""
    model = load_model(model_dir, settings.precision)
    if torch.cuda.is_available():
        return InProcessEngine(model.to("cuda"), settings.batch)
    return InProcessEngine(model, settings.batch, FusedPasses(FusedDecoder(model)) if fits(model) else None)
