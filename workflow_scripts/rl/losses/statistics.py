"""Covariance of log-probability and advantage, the quantity by which Clip-Cov and KL-Cov choose tokens."""

from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True)
class Statistics:
    """What a covariance loss takes from the whole mini-batch: the two means and the chosen positions (B, T) bool."""

    mean_advantage: torch.Tensor
    mean_log_prob: torch.Tensor
    selected: torch.Tensor

    def rows(self, index, width):
        """The same statistics for the rows `index` of the mini-batch, cut to `width` tokens."""
        return replace(self, selected=self.selected[index, :width])


def masked_mean(values, mask):
    """Mean of `values` where `mask` holds; 0 for an empty mask (the published denominator has 1e-8 added)."""
    return (values * mask).sum() / (mask.sum() + 1e-8)


def token_covariance(log_probs, advantages, mask):
    """(log p - mean log p) * (A - mean A) per token (B, T), means over the tokens of `mask` (Entropy Mechanism, Eq.
    10).
    """
    return (advantages - masked_mean(advantages, mask)) * (log_probs - masked_mean(log_probs, mask))
