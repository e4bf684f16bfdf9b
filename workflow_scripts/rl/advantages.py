"""Advantage estimators, called once on the whole rollout batch of a step (over all ranks).

Every estimator starts from one scalar reward per response. With `kl_coef` and `token_kl` the KL to the reference is
subtracted from the reward: per token for REINFORCE++, its sum over the response for all others.
"""

import torch

_SEQUENCE_OPTIONS = {"kl_coef": 0.0, "whiten": False}
DEFAULTS = {
    "reinforce": _SEQUENCE_OPTIONS,
    "reinforce_plus_plus": {"kl_coef": 0.0, "gamma": 1.0, "whiten": True},
    "reinforce_plus_plus_baseline": {"kl_coef": 0.0, "whiten": True},
    "rloo": _SEQUENCE_OPTIONS,
    "grpo": {"kl_coef": 0.0, "whiten": False, "eps": 1e-6, "std_floor": 0.0},
    "dr_grpo": _SEQUENCE_OPTIONS,
}


def compute_advantages(name, *, rewards, groups, mask, token_kl=None, options=None):
    """Advantage of every token (B, T), zero where `mask` (B, T) is zero.

    `rewards` (B,) float, `groups` (B,) int (equal for the samples of one prompt), `token_kl` (B, T) = log p_old - log
    p_ref. Options: `kl_coef`, `gamma` (discount per token), `whiten` (zero mean and unit variance over the valid
    tokens of the batch), `eps` and `std_floor` (GRPO's deviation). A group of one has mean 0 and deviation 1, as verl
    defines it: its reward stays as it is.

    reinforce                     r reinforce_plus_plus           discounted return-to-go of (r at the last token -
    kl_coef * token_kl), whitened (Hu 2025, arXiv 2501.03262) reinforce_plus_plus_baseline  r - mean of the group,
    whitened over tokens rloo                          r - mean of the others = n / (n - 1) * (r - mean) (Ahmadian et
    al. 2024) grpo                          (r - mean) / (unbiased deviation + 1e-6) (Shao et al. 2024, with the
    entropy paper's code) dr_grpo                       r - mean (Liu et al. 2025)

    Raises ValueError on an unknown estimator or option, and where whitening finds fewer than two tokens.
    """
    options = advantage_options(name, options)
    mask = mask > 0
    rewards = rewards.to(torch.promote_types(rewards.dtype, torch.float32))
    token_kl = None if token_kl is None else torch.where(mask, token_kl.to(rewards.dtype), rewards.new_zeros(()))
    if name == "reinforce_plus_plus":
        values = _returns_to_go(rewards, mask, token_kl, options)
    else:
        if token_kl is not None:
            rewards = rewards - options["kl_coef"] * token_kl.sum(dim=-1)
        values = _SCALAR[name](rewards, groups, options)[:, None].expand(mask.shape)
    if options["whiten"]:
        values = _whiten(values, mask)
    return torch.where(mask, values, values.new_zeros(()))


def advantage_options(name, options=None):
    """Options of an estimator with the published defaults filled in. Raises ValueError on an unknown one."""
    if name not in DEFAULTS:
        raise ValueError(f"unknown advantage {name!r}, allowed: {', '.join(DEFAULTS)}")
    unknown = sorted(set(options or {}) - set(DEFAULTS[name]))
    if unknown:
        raise ValueError(f"advantage {name}: unknown option {unknown[0]!r}, allowed: {', '.join(DEFAULTS[name])}")
    return DEFAULTS[name] | (options or {})


def _group_moments(rewards, groups):
    """Size, mean and unbiased deviation of each response's group, (B,) each; singletons get mean 0 and deviation 1."""
    _, index = torch.unique(groups, return_inverse=True)
    size = torch.bincount(index)
    mean = torch.zeros(len(size), dtype=rewards.dtype).index_add_(0, index, rewards) / size
    squares = torch.zeros_like(mean).index_add_(0, index, (rewards - mean[index]) ** 2)
    deviation = torch.sqrt(squares / (size - 1).clamp(min=1))
    mean, deviation = torch.where(size == 1, 0, mean), torch.where(size == 1, 1, deviation)
    return size[index], mean[index], deviation[index]


def _rloo(rewards, groups, options):
    size, mean, _ = _group_moments(rewards, groups)
    return (rewards - mean) * torch.where(size == 1, 1.0, size / (size - 1).clamp(min=1)).to(rewards.dtype)


def _grpo(rewards, groups, options):
    _, mean, deviation = _group_moments(rewards, groups)
    return (rewards - mean) / (deviation.clamp(min=options["std_floor"]) + options["eps"])


def _centred(rewards, groups, options):
    return rewards - _group_moments(rewards, groups)[1]


_SCALAR = {
    "reinforce": lambda rewards, groups, options: rewards,
    "reinforce_plus_plus_baseline": _centred,
    "rloo": _rloo,
    "grpo": _grpo,
    "dr_grpo": _centred,
}


def _returns_to_go(rewards, mask, token_kl, options):
    """Discounted sum of later token rewards (B, T); tokens outside the mask neither count nor discount."""
    token_rewards = torch.zeros(mask.shape, dtype=rewards.dtype)
    if token_kl is not None:
        token_rewards -= options["kl_coef"] * token_kl
    rows = torch.nonzero(mask.any(dim=-1)).flatten()
    last = mask.shape[1] - 1 - mask.flip(-1).long().argmax(dim=-1)
    token_rewards[rows, last[rows]] += rewards[rows]
    returns, running = torch.zeros_like(token_rewards), torch.zeros_like(rewards)
    for t in range(mask.shape[1] - 1, -1, -1):
        running = torch.where(mask[:, t], token_rewards[:, t] + options["gamma"] * running, running)
        returns[:, t] = running
    return returns


def _whiten(values, mask):
    """(x - mean) / sqrt(var + 1e-8), unbiased over the valid tokens of the whole batch."""
    valid = values[mask]
    if len(valid) < 2:
        raise ValueError(f"whitening needs at least two tokens, the mask has {len(valid)}")
    return (values - valid.mean()) * torch.rsqrt(valid.var() + 1e-8)
