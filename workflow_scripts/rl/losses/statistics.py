"""What a loss takes from many tokens before the loss of any one is known: covariance, selections, weights."""

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Statistics:
    """The two means of a batch, and what a loss made of it: `selected` positions (B, T) bool or `weights` (B, T)."""

    mean_advantage: torch.Tensor
    mean_log_prob: torch.Tensor
    selected: torch.Tensor | None = None
    weights: torch.Tensor | None = None

    def to(self, device):
        """The same statistics where the micro-batch lies; they are found on the CPU."""
        moved = ((name, getattr(self, name)) for name in self.__dataclass_fields__)
        return Statistics(**{name: None if value is None else value.to(device) for name, value in moved})

    def rows(self, index, width):
        """The same statistics for the rows `index` of the mini-batch, cut to `width` tokens."""
        cut = {name: getattr(self, name) for name in ("selected", "weights")}
        return replace(self, **{name: None if full is None else full[index, :width] for name, full in cut.items()})


def masked_mean(values, mask):
    """Mean of `values` where `mask` holds; 0 for an empty mask (the published denominator has 1e-8 added)."""
    return (values * mask).sum() / (mask.sum() + 1e-8)


def token_covariance(log_probs, advantages, mask):
    """(log p - mean log p) * (A - mean A) per token (B, T), means over the tokens of `mask` (Entropy Mechanism, Eq.
    10).
    """
    return (advantages - masked_mean(advantages, mask)) * (log_probs - masked_mean(log_probs, mask))
