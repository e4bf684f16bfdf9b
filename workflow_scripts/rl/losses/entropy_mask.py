"""80/20: only the tokens of highest entropy keep their policy gradient (Wang et al. 2025, arXiv 2506.01939).

loss = 1[H >= tau] * the PPO loss with DAPO's clip 0.2/0.28, on which the paper builds. tau is the entropy above which
the `entropy_share` highest of all tokens of the batch lie (the paper's rho, 0.2). The other tokens stay in the
denominator: the paper divides by the tokens of all responses.
"""

import torch

from workflow_scripts.rl.losses.ppo_clip import surrogates

DEFAULTS = {"entropy_share": 0.2, "clip_low": 0.2, "clip_high": 0.28}


def select(tokens, options, generator):
    """The tokens (B, T) bool that keep their gradient: those not below the (1 - share)-quantile of the entropies.

    They are the 1 + floor(`entropy_share` * (tokens - 1)) highest, with all that tie with the last of them. Raises
    ValueError without entropy.
    """
    if tokens.entropy is None:
        raise ValueError("loss entropy_mask needs the entropy of every token")
    entropy = tokens.entropy[tokens.mask]
    if len(entropy) == 0:
        return torch.zeros_like(tokens.mask)
    count = 1 + int(options["entropy_share"] * (len(entropy) - 1))
    return tokens.mask & (tokens.entropy >= torch.topk(entropy, count).values[-1])


def token_loss(tokens, options, statistics):
    """Loss (B, T) of every token; `clipped` counts the kept tokens whose clipped branch is strictly larger."""
    plain, bounded = surrogates(tokens, options)
    losses = torch.maximum(plain, bounded) * statistics.selected
    return losses, {"clipped": ((bounded > plain) & statistics.selected).sum()}
