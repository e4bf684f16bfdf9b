"""KL-Cov: the tokens with the highest covariance pay for moving away from the old policy (Entropy Mechanism, Eqs.
13-14).

loss = -A r, plus `kl_cov_coef` * |log r| on the `kl_cov_ratio` share of tokens with the largest covariance (at least
one). There is no PPO clip. Where log p equals its old value exactly, as in the first update after a rollout, the
penalty has zero gradient: with a single update per rollout KL-Cov is plain policy gradient.
"""

import torch

DEFAULTS = {"kl_cov_ratio": 2e-3, "kl_cov_coef": 1.0}


def select(tokens, options, generator):
    """The penalised tokens (B, T) bool: top-k on the CPU over the valid tokens in row-major order; none if there is
    none.
    """
    mask = tokens.mask
    advantages, log_probs = tokens.advantages[mask].cpu(), tokens.log_probs[mask].cpu()
    selected = torch.zeros_like(mask)
    if len(advantages) > 0:
        covariance = (advantages - advantages.mean()) * (log_probs - log_probs.mean())
        count = max(1, int(len(covariance) * options["kl_cov_ratio"]))
        top = torch.zeros(len(covariance), dtype=torch.bool)
        top[torch.topk(covariance, count).indices] = True
        selected[mask] = top.to(mask.device)
    return selected


def token_loss(tokens, options, statistics):
    """Loss (B, T) of every token; nothing is clipped, the penalised tokens are counted as selected."""
    penalty = options["kl_cov_coef"] * tokens.log_ratio.abs()
    losses = -tokens.advantages * torch.exp(tokens.log_ratio)
    losses = torch.where(statistics.selected, losses + penalty, losses)
    return losses, {"clipped": tokens.mask.new_zeros(()).long()}
