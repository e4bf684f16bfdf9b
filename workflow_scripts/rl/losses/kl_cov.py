"""KL-Cov: the tokens with the highest covariance pay for moving away from the old policy (Entropy Mechanism, Eqs.
13-14).

loss = -A r, plus `kl_cov_coef` * |log r| on the `kl_cov_ratio` share of tokens with the largest covariance (at least
one). There is no PPO clip. Where log p equals its old value exactly, as in the first update after a rollout, the
penalty has zero gradient: with a single update per rollout KL-Cov is plain policy gradient.
"""

import torch

DEFAULTS = {"kl_cov_ratio": 2e-3, "kl_cov_coef": 1.0}


def select(log_probs, old_log_probs, advantages, mask, options, generator):
    """The penalised tokens (B, T) bool: top-k on the CPU over the valid tokens in row-major order; none if there is
    none.
    """
    valid_advantages, valid_log_probs = advantages[mask].cpu(), log_probs[mask].cpu()
    selected = torch.zeros_like(mask)
    if len(valid_advantages) > 0:
        covariance = (valid_advantages - valid_advantages.mean()) * (valid_log_probs - valid_log_probs.mean())
        count = max(1, int(len(covariance) * options["kl_cov_ratio"]))
        top = torch.zeros(len(covariance), dtype=torch.bool)
        top[torch.topk(covariance, count).indices] = True
        selected[mask] = top.to(mask.device)
    return selected


def token_loss(log_probs, old_log_probs, advantages, mask, options, selected):
    """Loss (B, T) of every token; nothing is clipped, the penalised tokens are counted as selected."""
    log_ratio = log_probs - old_log_probs
    penalty = options["kl_cov_coef"] * log_ratio.abs()
    losses = -advantages * torch.exp(log_ratio)
    return torch.where(selected, losses + penalty, losses), {"clipped": mask.new_zeros(()).long()}
