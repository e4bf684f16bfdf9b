"""Supervised fine-tuning: cross-entropy on the completion's tokens and, where asked for, on the prompt's.

A verdict is one bit per example. A network that starts from nothing learns what the forms of a value have in common
far sooner when it also predicts the prompt, in which question, answer and reference follow each other: the part that
pre-training plays for a large model.

One loop trains the base policy, the teacher, the judge base and the distilled judge. It is deterministic on CPU (same
examples, settings and seed: same weights to the bit) and resumes exactly from its checkpoint: the order of examples is
a function of seed and epoch, and nothing else is random.
"""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

Example = tuple[list[int], list[int]]  # prompt tokens, completion tokens (end token included)

POOL = 16  # batches that are drawn together and sorted by length, so that little is spent on padding
CHECKPOINT_SECONDS = 20.0
COLUMNS = ("step", "loss", "grad_norm", "lr", "tokens")


def learning_rate(step: int, *, steps: int, lr: float, warmup: int) -> float:
    """Return the rate of 0-based `step`: linear warm-up, then a half cosine down to a tenth of `lr`."""
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return lr * (0.1 + 0.45 * (1 + math.cos(math.pi * progress)))


def schedule(lengths: list[int], *, steps: int, batch: int, seed: int) -> list[list[int]]:
    """Return the example indices of every step: shuffled epochs, batches of similar lengths in random order."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    batches: list[list[int]] = []
    while len(batches) < steps:
        order = torch.randperm(len(lengths), generator=generator).tolist()
        epoch: list[list[int]] = []
        for start in range(0, len(order), batch * POOL):
            pool = sorted(order[start : start + batch * POOL], key=lambda index: (lengths[index], index))
            chunks = [pool[i : i + batch] for i in range(0, len(pool), batch)]
            epoch.extend(chunks[i] for i in torch.randperm(len(chunks), generator=generator).tolist())
        batches.extend(epoch)
    return batches[:steps]


def collate(examples: list[Example]) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return tokens (B, T) int64, padded on the right with 0, and the mask (B, T) bool of completion tokens.

    Under causal attention padding on the right is seen by no real token, so no attention mask is needed.
    """
    import torch

    width = max(len(prompt) + len(completion) for prompt, completion in examples)
    tokens = torch.zeros(len(examples), width, dtype=torch.long)
    mask = torch.zeros(len(examples), width, dtype=torch.bool)
    for row, (prompt, completion) in enumerate(examples):
        end = len(prompt) + len(completion)
        tokens[row, :end] = torch.tensor(prompt + completion)
        mask[row, len(prompt) : end] = True
    return tokens, mask


def completion_logits(
    model: "PreTrainedModel", tokens: "torch.Tensor", mask: "torch.Tensor"
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return fp32 logits (N, V) and targets (N,) of the masked tokens; the head is applied to nothing else."""
    hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state
    return model.lm_head(hidden[:, :-1][mask[:, 1:]]).float(), tokens[:, 1:][mask[:, 1:]]


def prompt_mask(examples: list[Example]) -> "torch.Tensor":
    """Return the mask (B, T) bool of the prompt tokens in what `collate` makes of the examples."""
    import torch

    width = max(len(prompt) + len(completion) for prompt, completion in examples)
    return torch.arange(width) < torch.tensor([[len(prompt)] for prompt, _ in examples])


def fit(
    model: "PreTrainedModel",
    examples: list[Example],
    *,
    steps: int,
    batch: int,
    lr: float,
    warmup: int,
    weight_decay: float,
    seed: int,
    prompt_weight: float = 0.0,
    stage: Any = None,
) -> dict[str, list]:
    """Train `model` in place for `steps` batches and return the columns of a TRAINING table, one row per step.

    The loss is the cross-entropy of the completion's tokens plus `prompt_weight` times that of the prompt's; the table
    holds the first part. AdamW (0.9, 0.95), gradient norm clipped at 1. With a stage, progress is shown and a
    checkpoint is kept in `stage.checkpoints`, from which an interrupted run goes on bit for bit. ValueError if there
    are no examples.
    """
    import torch

    if not examples:
        raise ValueError("there is nothing to train on: no examples")
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95))
    batches = schedule([len(p) + len(c) for p, c in examples], steps=steps, batch=batch, seed=seed)
    rows: dict[str, list] = {column: [] for column in COLUMNS}
    checkpoint = stage.checkpoints / "sft.pt" if stage is not None else None
    start = _restore(checkpoint, model, optimizer, rows) if checkpoint is not None else 0
    saved = time.monotonic()
    model.train()
    for step in range(start, steps):
        rate = learning_rate(step, steps=steps, lr=lr, warmup=warmup)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss, norm, tokens = _update(model, optimizer, [examples[index] for index in batches[step]], prompt_weight)
        for column, value in zip(COLUMNS, (step + 1, loss, norm, rate, tokens), strict=True):
            rows[column].append(value)
        if stage is None:
            continue
        stage.progress(step + 1, steps, loss=loss)
        late = stage.deadline is not None and time.monotonic() > stage.deadline
        if late or time.monotonic() - saved > CHECKPOINT_SECONDS:
            _save(checkpoint, model, optimizer, rows)
            saved = time.monotonic()
        if late:
            from workflow_scripts.artifacts import StageError

            raise StageError(f"time budget spent after {step + 1} of {steps} training steps; run again to go on")
    model.eval()
    return rows


def _update(
    model: "PreTrainedModel", optimizer: "torch.optim.Optimizer", examples: list[Example], prompt_weight: float
) -> tuple[float, float, int]:
    import torch

    tokens, completion = collate(examples)
    prompt = prompt_mask(examples) if prompt_weight else torch.zeros_like(completion)
    logits, targets = completion_logits(model, tokens, completion | prompt)
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    is_prompt = prompt[:, 1:][(completion | prompt)[:, 1:]]
    loss = losses[~is_prompt].mean()
    total = loss + prompt_weight * losses[is_prompt].mean() if prompt_weight else loss
    optimizer.zero_grad(set_to_none=True)
    total.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item(), norm.item(), int((~is_prompt).sum())


def _save(path: Path, model: "PreTrainedModel", optimizer: "torch.optim.Optimizer", rows: dict[str, list]) -> None:
    import torch

    temporary = path.with_suffix(".tmp")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rows": rows}, temporary)
    temporary.replace(path)


def _restore(path: Path, model: "PreTrainedModel", optimizer: "torch.optim.Optimizer", rows: dict[str, list]) -> int:
    import torch

    if not path.is_file():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    rows.update(state["rows"])
    return len(rows["step"])
