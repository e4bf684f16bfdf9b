"""PPO's clipped surrogate: loss = max(-A r, -A clip(r, 1 - low, 1 + high)) with r = p / p_old (Schulman et al. 2017,
Eq. 7).

Clip-higher (DAPO) is `clip_high` 0.28 beside `clip_low` 0.2. `dual_clip` c > 1 bounds the loss of a bad token by -A c
(Ye et al. 2020); it is off, and the log-ratio is not clamped, as in the entropy paper's code.
"""

import torch

DEFAULTS = {"clip_low": 0.2, "clip_high": 0.2, "dual_clip": None}


def token_loss(tokens, options, statistics):
    """Loss (B, T) of every token; `clipped` counts the tokens whose clipped branch is strictly larger."""
    plain, bounded = surrogates(tokens, options)
    losses = torch.maximum(plain, bounded)
    if options["dual_clip"] is not None:
        ceiling = -tokens.advantages * options["dual_clip"]
        losses = torch.where(tokens.advantages < 0, torch.minimum(losses, ceiling), losses)
    return losses, {"clipped": ((bounded > plain) & tokens.mask).sum()}


def surrogates(tokens, options):
    """The plain and the clipped surrogate loss (B, T) of every token, by the options `clip_low` and `clip_high`."""
    ratio = torch.exp(tokens.log_ratio)
    clipped = torch.clamp(ratio, 1 - options["clip_low"], 1 + options["clip_high"])
    return -tokens.advantages * ratio, -tokens.advantages * clipped
