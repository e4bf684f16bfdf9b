"""Policy-gradient losses: one small file each, behind `policy_loss`.

A loss module has `DEFAULTS` (its options with the published values) and `token_loss`, which returns the loss of every
token and the statistics of this call. A loss that needs to see many tokens first has `select` (which tokens it treats)
or `weigh` (how much each counts) besides; one that is defined with some aggregations only names them in `AGGREGATIONS`.
`policy_loss` does what all losses share: options, padding, the scope of the statistics and the aggregation over tokens.
"""

import importlib

import torch

from workflow_scripts.rl.losses.aggregation import AGGREGATIONS, aggregate
from workflow_scripts.rl.losses.statistics import Statistics, masked_mean
from workflow_scripts.rl.losses.tokens import Tokens

LOSSES = {
    "reinforce": "workflow_scripts.rl.losses.reinforce",
    "ppo_clip": "workflow_scripts.rl.losses.ppo_clip",
    "clip_cov": "workflow_scripts.rl.losses.clip_cov",
    "kl_cov": "workflow_scripts.rl.losses.kl_cov",
    "gspo": "workflow_scripts.rl.losses.gspo",
    "cispo": "workflow_scripts.rl.losses.cispo",
    "cw_grpo": "workflow_scripts.rl.losses.cw_grpo",
    "entropy_mask": "workflow_scripts.rl.losses.entropy_mask",
}


def policy_loss(
    name,
    *,
    log_probs,
    old_log_probs,
    advantages,
    mask,
    entropy=None,
    options=None,
    aggregation="token-mean",
    normalizer=None,
    statistics=None,
    generator=None,
    weights=None,
):
    """Loss of a micro-batch and its statistics.

    `log_probs` (B, T) carries the gradient; `old_log_probs`, `advantages` (B, T) do not; `mask` (B, T) is non-zero on
    response tokens. What lies under the mask, NaN included, changes neither value nor gradient. `entropy` (B, T) in
    nats, without gradient here, is for losses that choose tokens by it. `normalizer` is the count to divide by (tokens,
    or non-empty sequences for the seq-mean aggregations) of the whole mini-batch; None takes this call's own.
    `statistics` holds what `mini_batch_statistics` found, cut to these rows; None computes it from this call, as
    published. `generator` serves Clip-Cov's permutation (None: torch's global one). `weights` (B, T) multiply the
    losses of the tokens (importance sampling); None: all one.

    Returns `(loss, stats)`; every entry of `stats` is a sum or a count, so micro-batches merge by addition.
    Raises ValueError on an unknown loss or option, an aggregation that the loss is not defined with, or an entropy
    that is needed and missing.
    """
    module, options = _module(name), loss_options(name, options)
    if aggregation not in loss_aggregations(name):
        raise ValueError(f"loss {name}: aggregation {aggregation!r}, allowed: {', '.join(loss_aggregations(name))}")
    tokens = Tokens.clean(log_probs, old_log_probs, advantages, mask, entropy)
    if statistics is None:
        statistics = _statistics(module, tokens.detached(), options, generator)
    else:
        statistics = statistics.to(tokens.mask.device)
    losses, stats = module.token_loss(tokens, options, statistics)
    if weights is not None:
        losses = torch.where(tokens.mask, losses * weights, losses)
    return aggregate(losses, tokens.mask, aggregation, normalizer), stats | _shared_stats(tokens, statistics)


def mini_batch_statistics(
    name, *, log_probs, old_log_probs, advantages, mask, entropy=None, options=None, generator=None
):
    """What a loss takes from a whole mini-batch (B, T), for the `mini_batch` scope: means, and selected tokens or
    weights; None for a loss that looks at each token by itself.

    `log_probs` and `entropy` are the current ones, from a pass without gradient. With one micro-batch per mini-batch
    the result is what `policy_loss` finds by itself. Raises ValueError as `policy_loss` does.
    """
    module, options = _module(name), loss_options(name, options)
    tokens = Tokens.clean(log_probs, old_log_probs, advantages, mask, entropy).detached()
    return _statistics(module, tokens, options, generator)


def loss_options(name, options=None):
    """Options of a loss with the published defaults filled in. Raises ValueError on an unknown one."""
    defaults = _module(name).DEFAULTS
    unknown = sorted(set(options or {}) - set(defaults))
    if unknown:
        raise ValueError(f"loss {name}: unknown option {unknown[0]!r}, allowed: {', '.join(defaults) or 'none'}")
    return defaults | (options or {})


def loss_aggregations(name):
    """The aggregations that a loss is defined with."""
    return getattr(_module(name), "AGGREGATIONS", AGGREGATIONS)


def selects_tokens(name):
    """Whether a loss selects or weighs tokens by comparing them, and so has statistics with a scope."""
    return hasattr(_module(name), "select") or hasattr(_module(name), "weigh")


def _module(name):
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}, allowed: {', '.join(LOSSES)}")
    return importlib.import_module(LOSSES[name])


def _statistics(module, tokens, options, generator):
    made = {
        field: getattr(module, function)(tokens, options, generator)
        for field, function in (("selected", "select"), ("weights", "weigh"))
        if hasattr(module, function)
    }
    if not made:
        return None
    means = masked_mean(tokens.advantages, tokens.mask), masked_mean(tokens.log_probs, tokens.mask)
    return Statistics(*means, **made)


def _shared_stats(tokens, statistics):
    difference = -tokens.log_ratio.detach()
    stats = {
        "tokens": tokens.mask.sum(),
        "sequences": tokens.mask.any(dim=-1).sum(),
        "kl_sum": difference.sum(),
        "abs_kl_sum": difference.abs().sum(),
    }
    if statistics is not None and statistics.selected is not None:
        stats["selected"] = statistics.selected.sum()
        stats["selected_positive"] = (statistics.selected & (tokens.advantages > 0)).sum()
    return stats
