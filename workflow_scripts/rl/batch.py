"""The rollouts of one step, and how they are cut into mini-batches and micro-batches."""

import math
from dataclasses import dataclass, fields, replace

import torch


@dataclass(frozen=True)
class Rollouts:
    """B responses with all that an update reads. Tensors lie on the CPU; padding is on the right.

    `prompts` B lists of token ids; `tokens` (B, T) int64 and `mask` (B, T) bool of the responses; `groups` (B,) int64;
    `truncated` (B,) bool; `old_log_probs`, `entropy` (B, T) before the update; `rewards` (B,); `verdicts` (B,) bool;
    `advantages` (B, T); `ref_log_probs` (B, T) or None where no term reads the reference; `engine_log_probs` (B, T) as
    the engine reported them, None where it is the trainer; `weights` (B, T) of the tokens' losses, None: all one.
    """

    prompts: list[list[int]]
    tokens: torch.Tensor
    mask: torch.Tensor
    groups: torch.Tensor
    truncated: torch.Tensor
    old_log_probs: torch.Tensor
    entropy: torch.Tensor
    rewards: torch.Tensor
    verdicts: torch.Tensor
    advantages: torch.Tensor | None = None
    ref_log_probs: torch.Tensor | None = None
    engine_log_probs: torch.Tensor | None = None
    weights: torch.Tensor | None = None

    @classmethod
    def concat(cls, parts: list["Rollouts"]) -> "Rollouts":
        """All rows, padded to the longest response."""
        return cls(**{item.name: joined([getattr(part, item.name) for part in parts]) for item in fields(cls)})

    def __len__(self) -> int:
        return len(self.prompts)

    def take(self, rows: list[int]) -> "Rollouts":
        """These rows, cut to their longest response."""
        index = torch.tensor(rows, dtype=torch.long)
        width = int(self.mask[index].sum(dim=-1).max()) if rows else 0
        parts = {}
        for name in (item.name for item in fields(self)):
            value = getattr(self, name)
            if isinstance(value, list):
                parts[name] = [value[row] for row in rows]
            elif isinstance(value, torch.Tensor):
                parts[name] = value[index][:, :width] if value.dim() == 2 else value[index]
            else:
                parts[name] = value
        return Rollouts(**parts)

    def replace(self, **columns: torch.Tensor | None) -> "Rollouts":
        """The same rollouts with other columns."""
        return replace(self, **columns)

    def sizes(self) -> list[int]:
        """Tokens of prompt and response together, per row."""
        return [len(p) + n for p, n in zip(self.prompts, self.mask.sum(dim=-1).tolist(), strict=True)]


def joined(values: list) -> list | torch.Tensor | None:
    """Rows of several batches one after the other: lists, or tensors (B,) or (B, T), padded on the right with zeros.

    None where the batches have none.
    """
    if any(value is None for value in values):
        return None
    if isinstance(values[0], list):
        return [item for value in values for item in value]
    if values[0].dim() == 2:
        width = max(value.shape[1] for value in values)
        values = [torch.nn.functional.pad(value, (0, width - value.shape[1])) for value in values]
    return torch.cat(values)


def mixed_groups(verdicts: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """Which responses (B,) bool belong to a group with both right and wrong verdicts (DAPO's group filter).

    It looks at the thresholded verdict: a soft reward is never constant within a group.
    """
    _, index = torch.unique(groups, return_inverse=True)
    size = torch.bincount(index)
    right = torch.bincount(index, weights=verdicts.double())
    return ((right > 0) & (right < size))[index]


def split_evenly(rows: list[int], parts: int) -> list[list[int]]:
    """Consecutive parts whose lengths differ by at most one; empty ones are left out."""
    base, extra = divmod(len(rows), parts)
    ends = [part * base + min(part, extra) for part in range(parts + 1)]
    return [rows[start:end] for start, end in zip(ends, ends[1:], strict=False) if end > start]


def micro_batches(sizes: list[int], budget: int) -> list[list[int]]:
    """Rows grouped so that (rows x longest row) stays within `budget` tokens; rows of like length go together.

    A single row above the budget gets a micro-batch of its own.
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(sizes)), key=lambda row: -sizes[row]):
        if batches and (len(batches[-1]) + 1) * sizes[batches[-1][0]] <= budget:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def packed_micro_batches(sizes: list[int], budget: int) -> list[list[int]]:
    """Rows dealt to as few micro-batches as hold at most `budget` tokens each, about equally many in all of them.

    For passes without padding, which cost what their tokens are together. The longest rows are dealt first, each to the
    lightest micro-batch. A single row above the budget gets one of its own.
    """
    count = max(1, math.ceil(sum(sizes) / budget))
    while True:
        batches: list[list[int]] = [[] for _ in range(count)]
        totals = [0] * count
        for row in sorted(range(len(sizes)), key=lambda row: -sizes[row]):
            lightest = totals.index(min(totals))
            batches[lightest].append(row)
            totals[lightest] += sizes[row]
        if all(total <= budget or len(rows) == 1 for rows, total in zip(batches, totals, strict=True)):
            return [rows for rows in batches if rows]
        count += 1


def for_ranks(batches: list[list[int]], world: int) -> list[list[list[int]]]:
    """Micro-batches dealt to `world` ranks, equally many to each; what is missing at the end is an empty one.

    They come longest rows first, so those that run at the same time take about the same time. The fullest are halved
    until their number fits: ranks that wait for each other in every pass must make as many.
    """
    batches = list(batches)
    while len(batches) % world and max(map(len, batches)) > 1:
        fullest = max(range(len(batches)), key=lambda index: len(batches[index]))
        rows = batches[fullest]
        batches[fullest : fullest + 1] = [rows[: len(rows) // 2], rows[len(rows) // 2 :]]
    batches += [[]] * (-len(batches) % world)
    return [batches[rank::world] for rank in range(world)]
