"""The judge's network in this process, by transformers: one forward pass per batch, no sampling.

The tokens that all prompts of a call begin with, a template's instruction, are read once. Only the last real position
of each right-padded row goes through the output head. Under causal attention the padding behind a row cannot reach it,
so no attention mask is needed. Nothing is kept between calls: the batch that a prompt is scored in decides the last
bits of its probability, and a resumed run must meet the same batches as an unbroken one.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from workflow_scripts.models.loading import load_model
from workflow_scripts.rewards.judge_engines import EngineSettings, Job
from workflow_scripts.rewards.judge_engines.prefix import empty_prefix, shared_length
from workflow_scripts.rewards.verdict_tokens import VerdictTokens

LEAST_SHARED = 32  # tokens; reading fewer of them again costs less than a mask does


class InProcessEngine:
    """A loaded causal language model, asked `batch` prompts at a time."""

    def __init__(self, model: Any, batch: int = 256) -> None:
        self.model = model
        self.batch = batch

    def probabilities(self, prompts: list[list[int]], tokens: VerdictTokens) -> tuple[np.ndarray, np.ndarray]:
        yes, no = np.zeros(len(prompts)), np.zeros(len(prompts))
        shared = shared_length(prompts) if len(prompts) > 1 else 0
        prefix = self._read(prompts[0][:shared]) if shared >= LEAST_SHARED else None
        rows = [prompt[shared:] for prompt in prompts] if prefix else prompts
        order = sorted(range(len(rows)), key=lambda index: (len(rows[index]), index))  # little padding in a batch
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            yes[chosen], no[chosen] = self._forward([rows[index] for index in chosen], prefix, tokens)
        return yes, no

    @torch.inference_mode()
    def _read(self, prefix: list[int]) -> Any:
        """What the model keeps of the tokens that all prompts begin with."""
        cache = empty_prefix(self.model.config.num_hidden_layers)
        self.model.base_model(torch.tensor([prefix], device=self._device), past_key_values=cache, use_cache=True)
        return cache

    @torch.inference_mode()
    def _forward(self, rows: list[list[int]], prefix: Any, tokens: VerdictTokens) -> tuple[np.ndarray, np.ndarray]:
        lengths = torch.tensor([len(row) for row in rows])
        padded = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
        for index, row in enumerate(rows):
            padded[index, : len(row)] = torch.tensor(row)
        device = self._device
        known = {"past_key_values": prefix, "use_cache": True} if prefix else {"use_cache": False}
        hidden = self.model.base_model(padded.to(device), **known).last_hidden_state
        last = hidden[torch.arange(len(rows), device=device), lengths.to(device) - 1]
        log_probabilities = self.model.get_output_embeddings()(last).float().log_softmax(-1)
        yes, no = (log_probabilities[:, list(ids)].exp().sum(-1) for ids in (tokens.yes, tokens.no))
        return yes.double().cpu().numpy(), no.double().cpu().numpy()

    @property
    def _device(self) -> torch.device:
        return self.model.get_input_embeddings().weight.device

    def close(self) -> None:
        """Give the memory of a GPU back, for the next model or for a server that shares it."""
        if torch.cuda.is_available():
            self.model = None
            torch.cuda.empty_cache()


def build(model_dir: Path, settings: EngineSettings, job: Job) -> InProcessEngine:
    """On this rank's GPU where there is one. Every rank has a copy of its own."""
    model = load_model(model_dir, settings.precision)
    return InProcessEngine(model.to("cuda") if torch.cuda.is_available() else model, settings.batch)
