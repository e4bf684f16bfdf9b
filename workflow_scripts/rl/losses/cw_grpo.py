"""CW-GRPO: PPO's clipped surrogate with extreme covariances weighed down (Wang et al. 2026, arXiv 2605.11538).

w = exp(-c^2 / (2 sigma^2)), c the token covariance of Clip-Cov and KL-Cov and sigma the standard deviation of the c of
all tokens, so nothing is to be tuned. The weights are scaled to mean 1, which moves the update from extreme tokens of
either sign to ordinary ones and keeps its size. They multiply the advantage, and carry no gradient. The deviation is
the unbiased one, a choice of ours: the authors' code is not public.
"""

import torch

from workflow_scripts.rl.losses.ppo_clip import surrogates
from workflow_scripts.rl.losses.statistics import token_covariance

DEFAULTS = {"clip_low": 0.2, "clip_high": 0.2}


def weigh(tokens, options, generator):
    """Weights (B, T) with mean 1 over the valid tokens, 0 elsewhere; all 1 where the covariance does not vary."""
    covariance = token_covariance(tokens.log_probs, tokens.advantages, tokens.mask)[tokens.mask]
    weights = torch.zeros_like(tokens.advantages)
    if len(covariance) > 0:
        # the normalised kernel is a softmax, which does not underflow where every c is many sigma from zero
        variance = covariance.var() if len(covariance) > 1 else covariance.new_zeros(())
        exponent = -(covariance**2) / (2 * variance) if variance > 0 else torch.zeros_like(covariance)
        weights[tokens.mask] = len(covariance) * torch.softmax(exponent, dim=0)
    return weights


def token_loss(tokens, options, statistics):
    """Loss (B, T) of every token; `clipped` counts the tokens whose clipped branch is strictly larger."""
    plain, bounded = surrogates(tokens, options)
    return statistics.weights * torch.maximum(plain, bounded), {"clipped": ((bounded > plain) & tokens.mask).sum()}
