"""How far the engine that samples is from the trainer that learns, and what corrects for it.

Two programs with equal weights differ in rounding, so responses come from a policy that is slightly not the one whose
gradient is taken. With p the trainer's and q the engine's probability of a sampled token, the ratio p / q has mean one
under q; truncated importance sampling weighs the token's loss by min(p / q, cap) (Ionides 2008; Yao et al. 2025).
"""

from typing import Any

import torch

NEAR = (0.9, 1.1)
FIGURES = ("mismatch", "mismatch_max", "mismatch_ratio", "mismatch_k3", "mismatch_outside")


def mismatch_figures(
    trainer: torch.Tensor | None, engine: torch.Tensor | None, mask: torch.Tensor
) -> dict[str, float | None]:
    """Columns of METRICS from log-probabilities (B, T) of the sampled tokens; None where the engine is the trainer.

    Mean and largest |log p - log q|, mean p / q, the k3 estimate of KL(q || p), and the share of tokens whose ratio
    lies outside `NEAR`.
    """
    if engine is None or trainer is None or not mask.any():
        return dict.fromkeys(FIGURES)
    difference = (trainer - engine)[mask].double()
    ratio = difference.exp()
    outside = (ratio < NEAR[0]) | (ratio > NEAR[1])
    values: tuple[Any, ...] = (
        difference.abs().mean(),
        difference.abs().max(),
        ratio.mean(),
        (ratio - 1 - difference).mean(),
        outside.double().mean(),
    )
    return dict(zip(FIGURES, map(float, values), strict=True))


def importance_weights(
    trainer: torch.Tensor, engine: torch.Tensor | None, mask: torch.Tensor, cap: float | None
) -> torch.Tensor | None:
    """min(p / q, cap) of each token (B, T), one under the mask; None where nothing is corrected."""
    if cap is None or engine is None:
        return None
    weights = (trainer - engine).exp().clamp(max=cap)
    return torch.where(mask, weights, torch.ones_like(weights))
