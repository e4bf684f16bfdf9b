"""Sampling with the trainer's own weights, in its own process.

What makes it quick: a prompt runs once and its cache is repeated for its samples; the head sees only last positions;
rows that have ended leave the batch; prompts of like length go together. Each response has its own row of uniform
numbers, drawn before the first token, so what it becomes does not depend on which other rows have ended.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from workflow_scripts.generation import EngineSettings, Generation, end_tokens, texts
from workflow_scripts.generation.cache import RoomyCache

MAX_ROWS = 512  # rows decoded together: past a few hundred, a CPU gains nothing and the cache only grows
COMPACT_BELOW = 0.8  # drop ended rows when fewer than this share still runs


def build(model: Any, tokenizer: Any, settings: EngineSettings) -> "InProcessEngine":
    """An engine on `model` and `tokenizer`; it reads the weights anew at each call."""
    return InProcessEngine(model, tokenizer)


def from_folder(folder: Path, tokenizer: Any, settings: EngineSettings) -> "InProcessEngine":
    """An engine with the weights of a directory, on this rank's GPU where there is one."""
    from workflow_scripts.models.loading import load_model

    model = load_model(folder, settings.precision)
    return InProcessEngine(model.to("cuda") if torch.cuda.is_available() else model, tokenizer)


@dataclass
class _Output:
    """Results of all rows, (B, max_tokens) each, filled in token by token."""

    tokens: torch.Tensor
    log_probs: torch.Tensor
    entropy: torch.Tensor
    lengths: torch.Tensor
    ended: torch.Tensor

    def record(
        self,
        t: int,
        indices: torch.Tensor,
        running: torch.Tensor,
        tokens: torch.Tensor,
        log_probs: torch.Tensor,
        entropy: torch.Tensor,
    ) -> None:
        """Write token `t` of the rows that still run; an ended row that is still in the batch leaves no trace."""
        indices = indices[running]
        self.tokens[indices, t] = tokens[running]
        self.log_probs[indices, t] = log_probs[running]
        self.entropy[indices, t] = entropy[running]
        self.lengths[indices] = t + 1


class InProcessEngine:
    shares_weights = True

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer, self.version = model, tokenizer, 0
        self.device = next(model.parameters()).device
        ends = end_tokens(getattr(model.generation_config, "eos_token_id", None), tokenizer)
        self.ends = torch.tensor(ends, dtype=torch.long, device=self.device)

    def load(self, weights: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        """Nothing moves: the weights are the model's."""
        self.version = version

    def sleep(self) -> None:
        """Nothing is held but the model."""

    def close(self) -> None:
        """Nothing is held but the model."""

    @torch.inference_mode()
    def generate(
        self, prompts: list[list[int]], *, samples: int, max_tokens: int, temperature: float, seed: int, first: int = 0
    ) -> Generation:
        """See `RolloutEngine`; the result is on the CPU, its width is the longest response."""
        rows = len(prompts) * samples
        drawn = torch.rand(first * samples + rows, max_tokens, generator=torch.Generator().manual_seed(seed))
        uniforms = drawn[first * samples :].to(self.device)
        out = self._empty(rows, max_tokens)
        was_training = self.model.training
        self.model.eval()
        per_batch = max(1, MAX_ROWS // samples)
        by_length = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        for start in range(0, len(prompts), per_batch):
            chosen = by_length[start : start + per_batch]
            offsets = torch.arange(samples, device=self.device)
            indices = (torch.tensor(chosen, device=self.device)[:, None] * samples + offsets).flatten()
            self._decode([prompts[index] for index in chosen], indices, samples, temperature, uniforms, out)
        self.model.train(was_training)
        return self._finish(out)

    def _empty(self, rows: int, max_tokens: int) -> _Output:
        shape, device = (rows, max_tokens), self.device
        return _Output(
            tokens=torch.full(shape, self.tokenizer.pad_token_id, dtype=torch.long, device=device),
            log_probs=torch.zeros(shape, device=device),
            entropy=torch.zeros(shape, device=device),
            lengths=torch.zeros(rows, dtype=torch.long, device=device),
            ended=torch.zeros(rows, dtype=torch.bool, device=device),
        )

    def _decode(
        self,
        prompts: list[list[int]],
        indices: torch.Tensor,
        samples: int,
        temperature: float,
        uniforms: torch.Tensor,
        out: _Output,
    ) -> None:
        """Decode one batch; `indices` (prompts * samples,) are its rows in `out` and `uniforms`."""
        max_tokens = uniforms.shape[1]
        cache, visible, hidden = self._prefill(prompts, max_tokens)
        repeat = torch.arange(len(prompts), device=self.device).repeat_interleave(samples)
        cache.take(repeat)
        visible, hidden = visible[repeat], hidden[repeat]
        width = visible.shape[1] - max_tokens
        positions = visible.sum(dim=1, keepdim=True) - max_tokens
        running = torch.ones(len(indices), dtype=torch.bool, device=self.device)
        for t in range(max_tokens):
            tokens, log_probs, entropy = _sample(self._logits(hidden), temperature, uniforms[indices, t])
            out.record(t, indices, running, tokens, log_probs, entropy)
            ended = torch.isin(tokens, self.ends)
            out.ended[indices] |= running & ended
            running = running & ~ended
            count = int(running.sum())
            if t + 1 == max_tokens or count == 0:
                return
            if count <= COMPACT_BELOW * len(indices):
                rows = torch.nonzero(running).flatten()
                indices, tokens, positions, visible, running = (
                    x[rows] for x in (indices, tokens, positions, visible, running)
                )
                cache.take(rows)
            mask = visible[:, None, None, : width + t + 1]
            hidden = self._forward(tokens[:, None], mask, positions, cache)
            positions = positions + 1

    def _prefill(self, prompts: list[list[int]], max_tokens: int) -> tuple[RoomyCache, torch.Tensor, torch.Tensor]:
        """Run the prompts once, padded on the left: cache, visible places (n, room), last hidden states (n, D)."""
        width = max(len(prompt) for prompt in prompts)
        pad = self.tokenizer.pad_token_id
        tokens = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts], device=self.device)
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        places = torch.arange(width + max_tokens, device=self.device)
        visible = places >= (width - lengths)[:, None]
        causal = torch.ones(width, width, dtype=torch.bool, device=self.device).tril()
        mask = causal & visible[:, None, :width] | torch.eye(width, dtype=torch.bool, device=self.device)
        positions = (places[:width] - (width - lengths)[:, None]).clamp(min=0)
        cache = RoomyCache(self.model.config.num_hidden_layers, width + max_tokens)
        return cache, visible, self._forward(tokens, mask[:, None], positions, cache)

    def _forward(
        self, tokens: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: RoomyCache
    ) -> torch.Tensor:
        """Hidden states (rows, D) of the last position."""
        output = self.model.base_model(
            input_ids=tokens, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        return output.last_hidden_state[:, -1]

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(rows, known): ids beyond the tokenizer's, which round a vocabulary up, cannot be sampled."""
        return self.model.get_output_embeddings()(hidden)[:, : len(self.tokenizer)].float()

    def _finish(self, out: _Output) -> Generation:
        width = int(out.lengths.max()) if len(out.lengths) else 0
        lengths = out.lengths.cpu()
        mask = torch.arange(width) < lengths[:, None]
        tokens = out.tokens[:, :width].cpu()
        rows = [row[:length] for row, length in zip(tokens.tolist(), lengths.tolist(), strict=True)]
        return Generation(
            tokens=tokens,
            mask=mask,
            text=texts(self.tokenizer, rows),
            truncated=~out.ended.cpu(),
            log_probs=out.log_probs[:, :width].cpu(),
            entropy=out.entropy[:, :width].cpu(),
            version=self.version,
        )


def _sample(
    logits: torch.Tensor, temperature: float, uniforms: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens by inversion, their log-probabilities, and the entropy at temperature 1, (rows,) each."""
    plain = torch.log_softmax(logits, dim=-1)
    probabilities = plain.exp()
    entropy = -(probabilities * plain).sum(dim=-1)
    if temperature == 0:
        tokens, distribution = plain.argmax(dim=-1), plain
    else:
        distribution = plain
        if temperature != 1:
            distribution = torch.log_softmax(logits / temperature, dim=-1)
            probabilities = distribution.exp()
        cumulative = probabilities.cumsum(dim=-1)
        total = cumulative[:, -1:]
        # strictly below the total, so that rounding never points past the last token with any probability
        target = torch.minimum(uniforms[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
        tokens = torch.searchsorted(cumulative, target, right=True).squeeze(1)
    return tokens, distribution.gather(1, tokens[:, None]).squeeze(1), entropy
