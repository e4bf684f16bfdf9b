"""REINFORCE: loss = -A * log p, no ratio and no clip (Williams 1992).

On the first update after a rollout its gradient is that of every ratio loss here; on later ones it is plain off-policy.
"""

DEFAULTS = {}


def token_loss(log_probs, old_log_probs, advantages, mask, options, selected):
    """Loss (B, T) of every token; nothing is ever clipped."""
    return -advantages * log_probs, {"clipped": mask.new_zeros(()).long()}
