"""Learning rate of each update: a linear warm-up, then constant, or a linear or cosine decay."""

import math

SCHEDULES = ("constant", "linear", "cosine")


def learning_rate(
    update: int, total: int, *, lr: float, warmup: int = 0, schedule: str = "constant", min_lr_ratio: float = 0.0
) -> float:
    """Rate of `update` (from 1) of `total`; the first `warmup` updates rise to `lr`, the last has the lowest rate."""
    if update <= warmup:
        return lr * update / warmup
    done = (update - warmup) / max(1, total - warmup)
    left = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}[schedule]
    return lr * (min_lr_ratio + (1 - min_lr_ratio) * left)
