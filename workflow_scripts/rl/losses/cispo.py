"""CISPO: REINFORCE weighted by the clipped ratio, loss = -sg[clip(r, 1 - low, 1 + high)] * A * log p (MiniMax 2025,
arXiv 2506.13585).

The clip bounds a token's weight and never takes its gradient away. The form is verl's: two-sided, with the log-ratio
clamped to +-20. So are the defaults, those of verl's CISPO recipe: `clip_high` 0.2, and a `clip_low` of 10 that is no
bound (the ratio is positive), because the paper clips from above only. Others write the upper bound as a number of
its own instead of 1 + high.
"""

import torch

DEFAULTS = {"clip_low": 10.0, "clip_high": 0.2}
MAX_LOG_RATIO = 20.0


def token_loss(tokens, options, statistics):
    """Loss (B, T) of every token; `clipped` counts the tokens whose weight is clipped."""
    ratio = torch.exp(tokens.log_ratio.detach().clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO))
    weight = torch.clamp(ratio, 1 - options["clip_low"], 1 + options["clip_high"])
    return -weight * tokens.advantages * tokens.log_probs, {"clipped": ((ratio != weight) & tokens.mask).sum()}
