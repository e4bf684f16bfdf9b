"""What is measured of a rollout batch before the update: entropy in its variants, and the covariance profile."""

import math

import torch

from workflow_scripts.rl.losses.statistics import token_covariance

COVARIANCE_SHARES = {
    "cov_top_002": 0.0002,
    "cov_top_02": 0.002,
    "cov_top_2": 0.02,
    "cov_top_20": 0.2,
    "cov_top_50": 0.5,
    "cov_all": 1.0,
}


def response_entropy(entropy: torch.Tensor, mask: torch.Tensor) -> float | None:
    """Mean over responses of the mean token entropy, nats (Entropy Mechanism, Eq. 5); None without responses."""
    lengths = mask.sum(dim=-1)
    rows = lengths > 0
    if not bool(rows.any()):
        return None
    return float(((entropy * mask).sum(dim=-1)[rows].double() / lengths[rows]).mean())


def token_entropy(entropy: torch.Tensor, mask: torch.Tensor) -> float:
    """Mean entropy over all tokens, nats: long responses weigh more."""
    return float(entropy[mask].double().mean()) if bool(mask.any()) else math.nan


def covariance_profile(
    log_probs: torch.Tensor, advantages: torch.Tensor, mask: torch.Tensor
) -> dict[str, float | None]:
    """Mean token covariance (Eq. 10) of the top 0.02 %, ... of all tokens (Table 1); a share has at least one token."""
    values = token_covariance(log_probs, advantages, mask)[mask].double()
    if len(values) == 0:
        return dict.fromkeys(COVARIANCE_SHARES)
    ordered = values.sort(descending=True).values
    counts = {name: max(1, int(share * len(ordered))) for name, share in COVARIANCE_SHARES.items()}
    return {name: float(ordered[:count].mean()) for name, count in counts.items()}
