"""Soft overlong punishment (DAPO, arXiv 2503.14476, Eq. 13)."""

import torch


def overlong_penalty(lengths: torch.Tensor, *, max_tokens: int, buffer: int, weight: float = 1.0) -> torch.Tensor:
    """What is added to the reward (B,): 0 up to `max_tokens - buffer` tokens, then falling evenly to -`weight` at
    `max_tokens`.

    A response cut off at the limit and one that ends just before it are punished alike, so the reward has no cliff.
    """
    excess = lengths - (max_tokens - buffer)
    return -weight * (excess / buffer).clamp(min=0, max=1)
