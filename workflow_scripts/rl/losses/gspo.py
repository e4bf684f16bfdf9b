"""GSPO: PPO's clip on the ratio of whole sequences (Zheng et al. 2025, arXiv 2507.18071).

s = exp(mean over the response of log p - log p_old), the geometric mean of the token ratios. Each token uses
sg[s] * p / sg[p]: the value of s, with a gradient of its own (GSPO-token, the form in verl). A response is clipped as
one; its loss is the mean over its tokens, so no other aggregation is defined. As in verl, log s is at most 10. The
clip of 3e-4 below and 4e-4 above is the paper's (section 5.1): a mean of many log-ratios moves far less than one.
"""

import torch

DEFAULTS = {"clip_low": 3e-4, "clip_high": 4e-4}
AGGREGATIONS = ("seq-mean-token-mean",)
MAX_LOG_RATIO = 10.0


def token_loss(tokens, options, statistics):
    """Loss (B, T) of every token; `clipped` counts the tokens of clipped responses."""
    lengths = tokens.mask.sum(dim=-1, keepdim=True).clamp(min=1)
    sequence = (tokens.log_ratio.detach() * tokens.mask).sum(dim=-1, keepdim=True) / lengths
    log_ratio = tokens.log_probs - tokens.log_probs.detach() + sequence
    ratio = torch.exp(log_ratio.clamp(max=MAX_LOG_RATIO))
    plain = -tokens.advantages * ratio
    bounded = -tokens.advantages * torch.clamp(ratio, 1 - options["clip_low"], 1 + options["clip_high"])
    return torch.maximum(plain, bounded), {"clipped": ((bounded > plain) & tokens.mask).sum()}
