"""Supervised fine-tuning: cross-entropy on the completion's tokens and, where asked for, on the prompt's.

A verdict is one bit per example. A network that starts from nothing learns what the forms of a value have in common
far sooner when it also predicts the prompt, in which question, answer and reference follow each other: the part that
pre-training plays for a large model.

One loop trains the base policy, the teacher, the judge base and the distilled judge, on the backends of the RL trainer:
one process, or ZeRO over several ranks, with the same update up to rounding. It is deterministic on CPU (same examples,
settings and seed: same weights to the bit) and resumes exactly from its checkpoint: the order of examples is a function
of seed and epoch, and nothing else is random.
"""

import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from workflow_scripts.artifacts import StageError
from workflow_scripts.ranks import Ranks
from workflow_scripts.rl.backends import Backend
from workflow_scripts.rl.batch import for_ranks, micro_batches
from workflow_scripts.rl.checkpoint import load_checkpoint, save_checkpoint
from workflow_scripts.rl.schedule import learning_rate

Example = tuple[list[int], list[int]]  # prompt tokens, completion tokens (end token included)

BETAS = (0.9, 0.95)  # of AdamW; the reward paper's OpenRLHF has the same default
MIN_LR_RATIO = 0.1  # of a cosine schedule; likewise
POOL = 16  # batches that are drawn together and sorted by length, so that little is spent on padding
CHECKPOINT_SECONDS = 20.0  # at least, between two checkpoints
CHECKPOINT_SHARE = 0.05  # of the time, at most, spent on writing them
COLUMNS = ("step", "loss", "grad_norm", "lr", "tokens")


@dataclass(frozen=True)
class Schedule:
    """How a fit goes: `steps` updates of `batch` examples, rate `lr` after `warmup` updates, then a cosine."""

    steps: int
    batch: int
    lr: float
    warmup: int
    seed: int
    prompt_weight: float = 0.0
    micro_batch_tokens: int = 16384

    def rate(self, step: int) -> float:
        """Learning rate of update `step`, from 1."""
        shape = {"warmup": self.warmup, "schedule": "cosine", "min_lr_ratio": MIN_LR_RATIO}
        return learning_rate(step, self.steps, lr=self.lr, **shape)


def batches(lengths: list[int], *, steps: int, batch: int, seed: int) -> list[list[int]]:
    """Return the example indices of every step: shuffled epochs, batches of similar lengths in random order."""
    generator = torch.Generator().manual_seed(seed)
    found: list[list[int]] = []
    while len(found) < steps:
        order = torch.randperm(len(lengths), generator=generator).tolist()
        epoch: list[list[int]] = []
        for start in range(0, len(order), batch * POOL):
            pool = sorted(order[start : start + batch * POOL], key=lambda index: (lengths[index], index))
            chunks = [pool[i : i + batch] for i in range(0, len(pool), batch)]
            epoch.extend(chunks[i] for i in torch.randperm(len(chunks), generator=generator).tolist())
        found.extend(epoch)
    return found[:steps]


@dataclass(frozen=True)
class Collated:
    """B examples as a backend reads them: contexts, and the (B, T) tokens to predict after them, padded on the right.

    `mask` (B, T) is True where a row has a token, `is_prompt` (B, T) where that token belongs to the prompt.
    """

    contexts: list[list[int]]
    tokens: torch.Tensor
    mask: torch.Tensor
    is_prompt: torch.Tensor


def collate(examples: list[Example], with_prompt: bool) -> Collated:
    """With the prompt, all but its first token is predicted as well."""
    starts = [1 if with_prompt else len(prompt) for prompt, _ in examples]
    rows = [(prompt + completion)[start:] for start, (prompt, completion) in zip(starts, examples, strict=True)]
    on_prompt = [len(prompt) - start for start, (prompt, _) in zip(starts, examples, strict=True)]
    places = torch.arange(max(map(len, rows)))
    return Collated(
        [prompt[:start] for start, (prompt, _) in zip(starts, examples, strict=True)],
        torch.tensor([row + [0] * (len(places) - len(row)) for row in rows]),
        places < torch.tensor([[len(row)] for row in rows]),
        places < torch.tensor([[count] for count in on_prompt]),
    )


def fit(backend: Backend, examples: list[Example], schedule: Schedule, stage: Any = None) -> dict[str, list]:
    """Train the backend's model and return the columns of a TRAINING table, one row per step.

    The loss is the mean cross-entropy of the completions' tokens plus `prompt_weight` times that of the prompts'; the
    table holds the first part. With a stage, progress is shown and a checkpoint is kept in `stage.checkpoints`, from
    which an interrupted run goes on bit for bit; its ranks share the work. ValueError if there are no examples.
    """
    if not examples:
        raise ValueError("there is nothing to train on: no examples")
    ranks = stage.ranks if stage is not None else Ranks()
    lengths = [len(prompt) + len(completion) for prompt, completion in examples]
    order = batches(lengths, steps=schedule.steps, batch=schedule.batch, seed=schedule.seed)
    state = load_checkpoint(stage.checkpoints, backend) if stage is not None else None
    rows: dict[str, list] = state["rows"] if state else {column: [] for column in COLUMNS}
    clock = _CheckpointClock()
    with stage.finishing_steps() if stage is not None else nullcontext():
        for step in range(len(rows["step"]) + 1, schedule.steps + 1):
            chosen = [examples[index] for index in order[step - 1]]
            loss, norm = _update(backend, chosen, schedule, schedule.rate(step), ranks)
            tokens = sum(len(completion) for _, completion in chosen) + (rows["tokens"] or [0])[-1]
            for column, value in zip(COLUMNS, (step, loss, norm, schedule.rate(step), tokens), strict=True):
                rows[column].append(value)
            if stage is None:
                continue
            stage.progress(step, schedule.steps, loss=loss)
            reason = stage.must_stop(reserve=2 * clock.saving)
            if ranks.share(clock.due()) or reason:
                save_checkpoint(stage.checkpoints, step, backend, {"rows": rows}, ranks)
                clock.saved()
            if reason and step < schedule.steps:
                raise StageError(f"{reason} after training step {step} of {schedule.steps}: saved, run it again")
    backend.refresh()
    return rows


def _update(
    backend: Backend, examples: list[Example], schedule: Schedule, rate: float, ranks: Ranks
) -> tuple[float, float]:
    """(loss on the completions, gradient norm) of one update; every term is divided by its count in the whole batch."""
    with_prompt = schedule.prompt_weight > 0
    completed = sum(len(completion) for _, completion in examples)
    prompted = max(1, sum(len(prompt) - 1 for prompt, _ in examples))
    sizes = [len(prompt) + len(completion) for prompt, completion in examples]
    dealt = for_ranks([sorted(rows) for rows in micro_batches(sizes, schedule.micro_batch_tokens)], ranks.world)
    total = 0.0
    for rows in dealt[ranks.rank]:
        part = collate([examples[row] for row in rows or [0]], with_prompt)
        log_probs, _ = backend.forward(part.contexts, part.tokens, part.mask)
        is_prompt = part.is_prompt.to(log_probs.device)
        loss = -log_probs.masked_fill(is_prompt, 0.0).sum() / completed  # already zero on padding
        on_prompt = -log_probs.masked_fill(~is_prompt, 0.0).sum() / prompted
        counts = float(bool(rows))  # an empty micro-batch keeps pace with the other ranks and counts for nothing
        backend.backward(counts * (loss + schedule.prompt_weight * on_prompt))
        total += counts * float(loss.detach())
    return sum(ranks.gather(total)), backend.step(rate)


class _CheckpointClock:
    """Says when a checkpoint is due: small models are saved often, and large ones do not spend their time on it."""

    def __init__(self) -> None:
        self._last, self._asked, self._wait = time.monotonic(), 0.0, CHECKPOINT_SECONDS
        self.saving = 0.0  # seconds that the last one took

    def due(self) -> bool:
        self._asked = time.monotonic()
        return self._asked - self._last > self._wait

    def saved(self) -> None:
        self._last = time.monotonic()
        self.saving = self._last - self._asked
        self._wait = max(CHECKPOINT_SECONDS, self.saving / CHECKPOINT_SHARE)
