"""Response lengths replayed from a trace, the same on both sides: what is sampled is real, only when it ends is given.

The end token is id 0 of the vocabulary and its row of the head is zero, so that by itself it is nearly never sampled.
Ours draws tokens by inversion, so a uniform number of 0 draws the end token, and numbers from the upper half draw any
other one: nothing is added to the decode loop. Hugging Face's generation gets a logits processor of two in-place
operations a token.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import torch

END = 0
CERTAIN = 1e9  # a logit beside which nothing else has any probability
# Shares of responses and the lengths that these do not exceed, in tokens.
EXPLORED = ((0, 1), (0.05, 2), (0.5, 2), (0.75, 9), (0.9, 15), (0.95, 20), (0.99, 23), (1, 32))  # nano's exploration
REASONED = ((0, 4), (0.25, 9), (0.5, 12), (0.75, 17), (0.9, 24), (0.95, 28), (1, 32))  # longer ones, as skewed


def draw_lengths(quantiles: tuple, rows: int, scale: float = 1.0, seed: int = 0) -> list[int]:
    """`rows` lengths with these quantiles, times `scale`, in random order; the longest one is among them."""
    shares, lengths = zip(*quantiles, strict=True)
    drawn = np.interp(np.linspace(0, 1, rows), shares, lengths)
    found = [max(1, round(scale * length)) for length in drawn]
    return [found[index] for index in np.random.default_rng(seed).permutation(rows)]


def prepare(model: Any, tokenizer: Any) -> None:
    """Make id 0 the end and padding token of both, with a zero row in the head."""
    tokenizer.eos_token = tokenizer.pad_token = tokenizer.convert_ids_to_tokens(END)
    for settings in (model.config, model.generation_config):
        settings.eos_token_id = settings.pad_token_id = END
    with torch.no_grad():
        model.get_output_embeddings().weight[END].zero_()


@contextmanager
def replayed_uniforms(lengths: list[int]):
    """Within it the uniform numbers (rows, max_tokens) that our engine draws are those that give these lengths."""
    draw = torch.rand
    ends = torch.tensor(lengths)

    def forced(*shape: Any, **options: Any) -> torch.Tensor:
        drawn = draw(*shape, **options)
        if drawn.shape[:1] != ends.shape or drawn.dim() != 2:
            return drawn
        drawn = 0.5 + 0.5 * drawn
        within = ends <= drawn.shape[1]
        drawn[within.nonzero().flatten(), ends[within] - 1] = 0.0
        return drawn

    with mock.patch.object(torch, "rand", forced):
        yield


@dataclass
class ReplayEngine:
    """Our in-process engine with its lengths given. Without `log_probs` those of its sampling are dropped, so that the
    trainer makes the pass for old log-probabilities that it otherwise does not need."""

    engine: Any
    lengths: list[int]
    log_probs: bool = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def generate(self, prompts: list[list[int]], **options: Any) -> Any:
        """ValueError where the responses are not as long as they should be."""
        from dataclasses import replace

        with replayed_uniforms(self.lengths):
            generation = self.engine.generate(prompts, **options)
        check_lengths(generation.lengths.tolist(), self.lengths)
        return generation if self.log_probs else replace(generation, log_probs=None, entropy=None)


class ForcedEnds:
    """A logits processor: the end token at the end of each row (by its length) and nowhere else."""

    def __init__(self, lengths: list[int], device: Any) -> None:
        found = [[row for row, length in enumerate(lengths) if length == t + 1] for t in range(max(lengths))]
        self._rows = [torch.tensor(rows, dtype=torch.long, device=device) for rows in found]
        self._t = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        scores[:, END] = -torch.inf
        scores[self._rows[self._t], END] = CERTAIN
        self._t = (self._t + 1) % len(self._rows)  # the last call of a generation is that of the longest row
        return scores


def check_lengths(found: list[int], wanted: list[int]) -> None:
    if found != wanted:
        wrong = sum(f != w for f, w in zip(found, wanted, strict=True))
        raise ValueError(f"{wrong} of {len(wanted)} responses do not have the length of the trace")
