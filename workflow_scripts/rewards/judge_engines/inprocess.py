"""The judge's network in this process: one forward pass per batch, no sampling.

Only the last position of each prompt is asked for; on a CPU the tokens that all prompts begin with, a template's
instruction, are read once per batch. Nothing is kept between calls: the batch that a prompt is scored in decides the
last bits of its probability, and a resumed run must meet the same batches as an unbroken one.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from workflow_scripts.models.fused import FusedDecoder, fits
from workflow_scripts.models.loading import load_model
from workflow_scripts.models.segments import last_states
from workflow_scripts.rewards.judge_engines import EngineSettings, Job
from workflow_scripts.rewards.verdict_tokens import VerdictTokens

LEAST_SHARED = 32  # tokens; reading fewer of them again costs less than a mask does


class InProcessEngine:
    """A loaded causal language model, asked `batch` prompts at a time."""

    def __init__(self, model: Any, batch: int = 256, decoder: FusedDecoder | None = None) -> None:
        """`decoder`: the model's layers in another form, where it has one."""
        self.model, self.batch, self._decoder = model, batch, decoder

    @torch.inference_mode()
    def probabilities(self, prompts: list[list[int]], tokens: VerdictTokens) -> tuple[np.ndarray, np.ndarray]:
        yes, no = np.zeros(len(prompts)), np.zeros(len(prompts))
        shared = shared_length(prompts)
        order = sorted(range(len(prompts)), key=lambda index: (len(prompts[index]), index))  # little padding in a batch
        for start in range(0, len(order), self.batch):
            part = order[start : start + self.batch]
            rows = [prompts[index][shared:] for index in part]
            states = self._last_states(prompts[0][:shared], rows)
            log_probabilities = self.model.get_output_embeddings()(states).float().log_softmax(-1)
            for found, ids in ((yes, tokens.yes), (no, tokens.no)):
                found[part] = log_probabilities[:, list(ids)].exp().sum(-1).double().cpu().numpy()
        return yes, no

    def _last_states(self, start: list[int], rows: list[list[int]]) -> torch.Tensor:
        """Hidden states (B, D) at the ends of `start` + row."""
        if self._decoder is not None:
            return last_states(self._decoder, start, rows)
        device, width = self.model.get_input_embeddings().weight.device, max(map(len, rows))
        padded = [start + row + [0] * (width - len(row)) for row in rows]
        states = self.model.base_model(input_ids=torch.tensor(padded, device=device), use_cache=False).last_hidden_state
        return states[range(len(rows)), [len(start) + len(row) - 1 for row in rows]]

    def close(self) -> None:
        """Give the memory of a GPU back, for the next model or for a server that shares it."""
        if torch.cuda.is_available():
            self.model = self._decoder = None
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
    return InProcessEngine(model, settings.batch, FusedDecoder(model, learn=False) if fits(model) else None)
