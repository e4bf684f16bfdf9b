"""REINFORCE: loss = -A * log p, no ratio and no clip (Williams 1992).

On the first update after a rollout its gradient is that of every ratio loss here; on later ones it is plain off-policy.
"""

DEFAULTS = {}


def token_loss(tokens, options, statistics):
    """Loss (B, T) of every token; nothing is ever clipped."""
    return -tokens.advantages * tokens.log_probs, {"clipped": tokens.mask.new_zeros(()).long()}
