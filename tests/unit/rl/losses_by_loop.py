"""Every loss written again as a loop over tokens in Python floats: value, and gradient by the log-probability.

Nothing here is shared with the code under test but the definitions.
"""

import math
import statistics

import torch

from workflow_scripts.rl.losses import policy_loss

AGGREGATIONS = ("token-mean", "seq-mean-token-sum", "seq-mean-token-mean")
# options that select, weigh and clip many tokens of these small inputs
OPTIONS = {
    "reinforce": {},
    "ppo_clip": {"clip_high": 0.28},
    "clip_cov": {"clip_cov_ratio": 0.1, "cov_low": 0.05, "clip_low": 0.5, "clip_high": 0.4},
    "kl_cov": {"kl_cov_ratio": 0.2, "kl_cov_coef": 0.7},
    "gspo": {"clip_low": 0.01, "clip_high": 0.02},
    "cispo": {"clip_low": 0.2},
    "cw_grpo": {},
    "entropy_mask": {},
}
CASES = [(name, way) for name in OPTIONS for way in AGGREGATIONS if name != "gspo" or way == "seq-mean-token-mean"]


def published_input():
    """The input of the golden vectors: B=4, T=64, 198 valid tokens; the entropy is ours."""
    i = torch.arange(256, dtype=torch.float32).reshape(4, 64)
    old = -3 * torch.abs(torch.sin(0.37 * i))
    mask = torch.ones(4, 64, dtype=torch.int64)
    mask[0, 50:] = 0
    mask[2, 20:] = 0
    return {
        "log_probs": old + 0.3 * torch.cos(0.91 * i),
        "old_log_probs": old,
        "advantages": torch.tensor([1.5, -0.5, -1.0, 0.7])[:, None] * mask,
        "mask": mask,
        "entropy": 1 + torch.sin(1.3 * i),
    }


def random_input(seed, shape=(6, 11), dtype=torch.float64):
    """Rows of mixed lengths with holes, one of a single token and one of none; advantages differ by token."""
    generator = seeded(seed)

    def normal():
        return torch.randn(shape, generator=generator, dtype=dtype)

    mask = torch.arange(shape[1]) < torch.randint(2, shape[1] + 1, (shape[0], 1), generator=generator)
    mask = mask & (torch.rand(shape, generator=generator) < 0.9)
    mask[0], mask[1] = False, torch.arange(shape[1]) == 4
    old = -normal().abs()
    return {
        "log_probs": old + 0.4 * normal(),
        "old_log_probs": old,
        "advantages": normal()[:, :1] + 0.1 * normal(),
        "mask": mask.long(),
        "entropy": normal().abs(),
    }


def seeded(seed=0):
    """A generator for Clip-Cov's permutation."""
    return torch.Generator().manual_seed(seed)


def loss_and_gradient(name, inputs, **extra):
    """(loss, gradient by `log_probs`, stats) of the code under test."""
    log_probs = inputs["log_probs"].clone().requires_grad_()
    loss, stats = policy_loss(name, **(inputs | {"log_probs": log_probs}), **extra)
    loss.backward()
    return loss.detach(), log_probs.grad, stats


def by_loop(name, inputs, aggregation, options, permutation_seed=0):
    """(loss, gradient (B, T) as nested lists) of a loss with all of its `options` given."""
    positions = [tuple(p) for p in torch.nonzero(inputs["mask"]).tolist()]
    lp, old, adv, ent = (
        {p: inputs[key][p].item() for p in positions} for key in ("log_probs", "old_log_probs", "advantages", "entropy")
    )
    ratio = {p: math.exp(lp[p] - old[p]) for p in positions}
    token = _TOKEN[name](positions, lp, ratio, adv, ent, options, permutation_seed)
    lengths = {row: sum(r == row for r, _ in positions) for row, _ in positions}
    share = {
        "token-mean": lambda row: 1 / len(positions),
        "seq-mean-token-sum": lambda row: 1 / len(lengths),
        "seq-mean-token-mean": lambda row: 1 / len(lengths) / lengths[row],
    }[aggregation]
    gradient = torch.zeros(inputs["mask"].shape, dtype=torch.float64)
    for p in positions:
        gradient[p] = token[p][1] * share(p[0])
    return math.fsum(token[p][0] * share(p[0]) for p in positions), gradient


def clipped(ratio, advantage, options):
    """Value and slope by the log-ratio of max(-A r, -A clip(r))."""
    bound = min(max(ratio, 1 - options["clip_low"]), 1 + options["clip_high"])
    plain, bounded = -advantage * ratio, -advantage * bound
    return (plain, plain) if plain >= bounded else (bounded, 0.0)


def covariances(positions, lp, adv):
    mean_lp, mean_adv = (statistics.fmean(values[p] for p in positions) for values in (lp, adv))
    return {p: (lp[p] - mean_lp) * (adv[p] - mean_adv) for p in positions}


def _reinforce(positions, lp, ratio, adv, ent, options, seed):
    return {p: (-adv[p] * lp[p], -adv[p]) for p in positions}


def _ppo_clip(positions, lp, ratio, adv, ent, options, seed):
    return {p: clipped(ratio[p], adv[p], options) for p in positions}


def _clip_cov(positions, lp, ratio, adv, ent, options, seed):
    covariance, token = covariances(positions, lp, adv), _ppo_clip(positions, lp, ratio, adv, ent, options, seed)
    free = [p for p in positions if not token[p][0] > -adv[p] * ratio[p]]
    candidates = [p for p in free if options["cov_low"] < covariance[p] < options["cov_high"]]
    count = max(1, int(options["clip_cov_ratio"] * len(positions)))
    order = torch.randperm(len(candidates), generator=seeded(seed)).tolist()
    return token | {candidates[i]: (0.0, 0.0) for i in order[:count]}


def _kl_cov(positions, lp, ratio, adv, ent, options, seed):
    covariance = covariances(positions, lp, adv)
    count = max(1, int(len(positions) * options["kl_cov_ratio"]))
    penalised = sorted(positions, key=lambda p: -covariance[p])[:count]
    token = {p: (-adv[p] * ratio[p], -adv[p] * ratio[p]) for p in positions}
    for p in penalised:
        distance, sign = abs(math.log(ratio[p])), math.copysign(1, math.log(ratio[p]))
        value, slope = token[p]
        token[p] = value + options["kl_cov_coef"] * distance, slope + options["kl_cov_coef"] * sign
    return token


def _gspo(positions, lp, ratio, adv, ent, options, seed):
    token = {}
    for p in positions:
        logs = [math.log(ratio[q]) for q in positions if q[0] == p[0]]
        token[p] = clipped(math.exp(statistics.fmean(logs)), adv[p], options)
    return token


def _cispo(positions, lp, ratio, adv, ent, options, seed):
    weight = {p: min(max(ratio[p], 1 - options["clip_low"]), 1 + options["clip_high"]) for p in positions}
    return {p: (-weight[p] * adv[p] * lp[p], -weight[p] * adv[p]) for p in positions}


def _cw_grpo(positions, lp, ratio, adv, ent, options, seed):
    covariance = covariances(positions, lp, adv)
    variance = statistics.variance(covariance.values())
    kernel = {p: math.exp(-(covariance[p] ** 2) / (2 * variance)) for p in positions}
    mean = statistics.fmean(kernel.values())
    token = _ppo_clip(positions, lp, ratio, adv, ent, options, seed)
    return {p: tuple(kernel[p] / mean * x for x in token[p]) for p in positions}


def _entropy_mask(positions, lp, ratio, adv, ent, options, seed):
    count = 1 + int(options["entropy_share"] * (len(positions) - 1))
    threshold = sorted(ent.values(), reverse=True)[count - 1]
    token = _ppo_clip(positions, lp, ratio, adv, ent, options, seed)
    return {p: token[p] if ent[p] >= threshold else (0.0, 0.0) for p in positions}


_TOKEN = {
    "reinforce": _reinforce,
    "ppo_clip": _ppo_clip,
    "clip_cov": _clip_cov,
    "kl_cov": _kl_cov,
    "gspo": _gspo,
    "cispo": _cispo,
    "cw_grpo": _cw_grpo,
    "entropy_mask": _entropy_mask,
}
