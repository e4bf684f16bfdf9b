"""Clip-Cov: a random share of the tokens with high covariance gets no gradient (Entropy Mechanism, Eqs. 11-12).

PPO's surrogate with the wide clip 1/1 (in effect only the ratio's bound of 2 for A > 0). Tokens with covariance
strictly between `cov_low` and `cov_high`, and not already clipped, are candidates; floor(`clip_cov_ratio` * tokens)
of them, at least one, are drawn. A drawn token's loss is multiplied by 0 but stays in the denominator, as in the
authors' code.
"""

import torch

from workflow_scripts.rl.losses.ppo_clip import surrogates
from workflow_scripts.rl.losses.statistics import token_covariance

DEFAULTS = {"clip_cov_ratio": 2e-4, "cov_low": 1.0, "cov_high": 5.0, "clip_low": 1.0, "clip_high": 1.0}


def select(tokens, options, generator):
    """The drawn tokens (B, T) bool; the permutation comes from the CPU `generator`, candidates in row-major order."""
    plain, bounded = surrogates(tokens, options)
    covariance = token_covariance(tokens.log_probs, tokens.advantages, tokens.mask)
    inside = (covariance > options["cov_low"]) & (covariance < options["cov_high"])
    candidates = torch.nonzero(tokens.mask & ~(bounded > plain) & inside)
    selected = torch.zeros_like(tokens.mask)
    if len(candidates) > 0:
        count = max(int(options["clip_cov_ratio"] * int(tokens.mask.sum())), 1)
        drawn = candidates[torch.randperm(len(candidates), generator=generator)[:count].to(candidates.device)]
        selected[drawn[:, 0], drawn[:, 1]] = True
    return selected


def token_loss(tokens, options, statistics):
    """Loss (B, T) of every token; `clipped` counts the drawn ones, as the paper's clip fraction does."""
    plain, bounded = surrogates(tokens, options)
    return torch.maximum(plain, bounded) * ~statistics.selected, {"clipped": statistics.selected.sum()}
