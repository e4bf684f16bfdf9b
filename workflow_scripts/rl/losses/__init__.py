"""Policy-gradient losses: one small file each, behind `policy_loss`.

A loss module has `DEFAULTS` (its options with the published values) and `token_loss`, which returns the loss of every
token and the statistics of this call. A covariance loss has `select` besides: which tokens it treats. `policy_loss`
does what all losses share: options, padding, the scope of the statistics and the aggregation over tokens.
"""

import importlib

import torch

from workflow_scripts.rl.losses.aggregation import aggregate
from workflow_scripts.rl.losses.statistics import Statistics, masked_mean

LOSSES = {
    "reinforce": "workflow_scripts.rl.losses.reinforce",
    "ppo_clip": "workflow_scripts.rl.losses.ppo_clip",
    "clip_cov": "workflow_scripts.rl.losses.clip_cov",
    "kl_cov": "workflow_scripts.rl.losses.kl_cov",
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
):
    """Loss of a micro-batch and its statistics.

    `log_probs` (B, T) carries the gradient; `old_log_probs`, `advantages` (B, T) do not; `mask` (B, T) is non-zero on
    response tokens. What lies under the mask, NaN included, changes neither value nor gradient. `entropy` (B, T) is
    for losses that weigh tokens by it. `normalizer` is the count to divide by (tokens, or non-empty sequences for the
    seq-mean aggregations) of the whole mini-batch; None takes this call's own. `statistics` holds what
    `mini_batch_statistics` found, cut to these rows; None computes it from this call, as published. `generator`
    serves Clip-Cov's permutation (None: torch's global one).

    Returns `(loss, stats)`; every entry of `stats` is a sum or a count, so micro-batches merge by addition.
    Raises ValueError on an unknown loss, option or aggregation.
    """
    module = _module(name)
    options = loss_options(name, options)
    log_probs, old_log_probs, advantages, mask = _without_padding(log_probs, old_log_probs, advantages, mask)
    selected = None
    if hasattr(module, "select"):
        if statistics is None:
            selected = module.select(log_probs.detach(), old_log_probs, advantages, mask, options, generator)
        else:
            selected = statistics.selected
    losses, stats = module.token_loss(log_probs, old_log_probs, advantages, mask, options, selected)
    loss = aggregate(losses, mask, aggregation, normalizer)
    return loss, stats | _shared_stats(log_probs, old_log_probs, advantages, mask, selected)


def mini_batch_statistics(name, *, log_probs, old_log_probs, advantages, mask, options=None, generator=None):
    """Means and selected tokens of a whole mini-batch (B, T), for the `mini_batch` scope; None for a loss without
    selection.

    `log_probs` are the current ones, from a pass without gradient. With one micro-batch per mini-batch the result is
    what `policy_loss` finds by itself.
    """
    module = _module(name)
    if not hasattr(module, "select"):
        return None
    options = loss_options(name, options)
    log_probs, old_log_probs, advantages, mask = _without_padding(log_probs.detach(), old_log_probs, advantages, mask)
    return Statistics(
        mean_advantage=masked_mean(advantages, mask),
        mean_log_prob=masked_mean(log_probs, mask),
        selected=module.select(log_probs, old_log_probs, advantages, mask, options, generator),
    )


def loss_options(name, options=None):
    """Options of a loss with the published defaults filled in. Raises ValueError on an unknown one."""
    defaults = _module(name).DEFAULTS
    unknown = sorted(set(options or {}) - set(defaults))
    if unknown:
        raise ValueError(f"loss {name}: unknown option {unknown[0]!r}, allowed: {', '.join(defaults) or 'none'}")
    return defaults | (options or {})


def selects_tokens(name):
    """Whether a loss treats selected tokens and so has statistics with a scope."""
    return hasattr(_module(name), "select")


def _module(name):
    if name not in LOSSES:
        raise ValueError(f"unknown loss {name!r}, allowed: {', '.join(LOSSES)}")
    return importlib.import_module(LOSSES[name])


def _without_padding(log_probs, old_log_probs, advantages, mask):
    """Zeros under the mask and at least single precision; `where` keeps NaN out of the gradient too."""
    mask = mask > 0
    zero = log_probs.new_zeros((), dtype=torch.promote_types(log_probs.dtype, torch.float32))
    clean = [torch.where(mask, tensor.to(zero.dtype), zero) for tensor in (log_probs, old_log_probs, advantages)]
    return clean[0], clean[1].detach(), clean[2].detach(), mask


def _shared_stats(log_probs, old_log_probs, advantages, mask, selected):
    difference = (old_log_probs - log_probs.detach()) * mask
    stats = {
        "tokens": mask.sum(),
        "sequences": mask.any(dim=-1).sum(),
        "kl_sum": difference.sum(),
        "abs_kl_sum": difference.abs().sum(),
    }
    if selected is not None:
        stats["selected"] = selected.sum()
        stats["selected_positive"] = (selected & (advantages > 0)).sum()
    return stats
