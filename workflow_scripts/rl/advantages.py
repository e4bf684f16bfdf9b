"""Advantage estimators, called once on the whole rollout batch of a step (over all ranks).

Every estimator turns the scalar reward of each response into a score, by the rewards of its group. What happens before
and after is common to all, and REINFORCE++ is the plain reward with the KL by token and whitening:

1. the KL to the reference by sequence: its sum over the response is subtracted from the reward;
2. the estimator's score, placed at the last token of the response;
3. the KL by token: subtracted from the reward of its own token;
4. the discounted sum of what follows, for every token; without KL by token and discount that is the score itself;
5. whitening over the tokens of the batch.
"""

import torch

SEQUENCE, TOKEN = "sequence", "token"
_COMMON = {"kl_coef": 0.0, "kl_level": SEQUENCE, "gamma": 1.0, "whiten": False}
_DEVIATION = {"eps": 1e-6, "std_floor": 0.0}
DEFAULTS = {
    "reinforce": _COMMON,
    "reinforce_plus_plus": _COMMON | {"kl_level": TOKEN, "whiten": True},
    "reinforce_plus_plus_baseline": _COMMON | {"whiten": True},
    "rloo": _COMMON,
    "grpo": _COMMON | _DEVIATION,
    "dr_grpo": _COMMON,
    "qae": _COMMON | _DEVIATION | {"quantile": 0.4},
}


def compute_advantages(name, *, rewards, groups, mask, token_kl=None, options=None):
    """Advantage of every token (B, T), zero where `mask` (B, T) is zero.

    `rewards` (B,) float, `groups` (B,) int (equal for the samples of one prompt), `token_kl` (B, T) = log p_old -
    log p_ref, whose values under the mask are ignored. Scores, for a response of reward r in a group of n:

    - `reinforce`, `reinforce_plus_plus`: r (Williams 1992; Hu 2025, arXiv 2501.03262)
    - `dr_grpo`, `reinforce_plus_plus_baseline`: r - mean (Liu et al. 2025, arXiv 2503.20783; Hu 2025)
    - `rloo`: r - mean of the others = n / (n - 1) * (r - mean) (Ahmadian et al. 2024, arXiv 2402.14740)
    - `grpo`: (r - mean) / (deviation + eps), the deviation unbiased (Shao et al. 2024, arXiv 2402.03300)
    - `qae`: (r - b) / (deviation + eps), b the least reward x of the group with share(rewards <= x) >= `quantile`
      (Wu et al. 2025, arXiv 2509.22611; the authors' code interpolates between rewards instead)

    A group of one has mean (and b) 0 and deviation 1, as verl defines it: its reward stays as it is. A group of equal
    rewards gets exactly 0.

    Options of all: `kl_coef`; `kl_level`, "sequence" or "token" (OpenRLHF's order: with `rloo`, leave-one-out on the
    reward alone); `gamma`, the discount per token, for `kl_level` "token"; `whiten`, to zero mean and unit variance
    over the valid tokens of the batch (the default of the REINFORCE++ pair). Of `grpo` and `qae`: `eps` and
    `std_floor`, the least deviation. Masks may have holes: a token outside neither counts nor discounts.

    Raises ValueError on an unknown estimator or option, a bad value, a `kl_coef` without `token_kl`, and where
    whitening finds fewer than two tokens.
    """
    options = advantage_options(name, options)
    mask = mask > 0
    rewards = rewards.to(torch.promote_types(rewards.dtype, torch.float32))
    if mask.numel() == 0:
        return rewards.new_zeros(mask.shape)
    penalty = _kl_penalty(token_kl, mask, rewards, options["kl_coef"])
    if options["kl_level"] == SEQUENCE:
        rewards, penalty = rewards - penalty.sum(dim=-1), torch.zeros_like(penalty)
    scores = _SCORES[name](rewards, groups, options)
    values = _returns_to_go(_at_last_token(scores, mask) - penalty, mask, options["gamma"])
    if options["whiten"]:
        values = _whiten(values, mask)
    return torch.where(mask, values, values.new_zeros(()))


def advantage_options(name, options=None):
    """Options of an estimator with the published defaults filled in. Raises ValueError on an unknown one or value."""
    if name not in DEFAULTS:
        raise ValueError(f"unknown advantage {name!r}, allowed: {', '.join(DEFAULTS)}")
    unknown = sorted(set(options or {}) - set(DEFAULTS[name]))
    if unknown:
        raise ValueError(f"advantage {name}: unknown option {unknown[0]!r}, allowed: {', '.join(DEFAULTS[name])}")
    options = DEFAULTS[name] | (options or {})
    if options["kl_level"] not in (SEQUENCE, TOKEN):
        raise ValueError(f"advantage {name}: kl_level {options['kl_level']!r}, allowed: {SEQUENCE}, {TOKEN}")
    if options["kl_level"] == SEQUENCE and options["gamma"] != 1:
        raise ValueError(f"advantage {name}: gamma {options['gamma']} discounts tokens and needs kl_level {TOKEN}")
    if not 0 < options.get("quantile", 1) <= 1:
        raise ValueError(f"advantage {name}: quantile {options['quantile']} is not above 0 and at most 1")
    return options


def _kl_penalty(token_kl, mask, rewards, coefficient):
    """The coefficient times the KL of every token (B, T), zero under the mask and without a coefficient."""
    if coefficient == 0:
        return rewards.new_zeros(mask.shape)
    if token_kl is None:
        raise ValueError(f"kl_coef {coefficient} needs token_kl, the log-ratio to the reference")
    return coefficient * torch.where(mask, token_kl.to(rewards.dtype), rewards.new_zeros(()))


def _centred(rewards, groups, options):
    return _deviations(rewards, groups)[0]


def _rloo(rewards, groups, options):
    size = _sizes(groups).to(rewards.dtype)
    return _centred(rewards, groups, options) * torch.where(size == 1, 1, size / (size - 1))


def _grpo(rewards, groups, options):
    centred, deviation = _deviations(rewards, groups)
    return centred / (deviation.clamp(min=options["std_floor"]) + options["eps"])


def _qae(rewards, groups, options):
    deviation = _deviations(rewards, groups)[1].clamp(min=options["std_floor"])
    return (rewards - _group_quantile(rewards, groups, options["quantile"])) / (deviation + options["eps"])


_SCORES = {
    "reinforce": lambda rewards, groups, options: rewards,
    "reinforce_plus_plus": lambda rewards, groups, options: rewards,
    "reinforce_plus_plus_baseline": _centred,
    "rloo": _rloo,
    "grpo": _grpo,
    "dr_grpo": _centred,
    "qae": _qae,
}


def _sizes(groups):
    """Size of each response's group (B,)."""
    _, index, size = torch.unique(groups, return_inverse=True, return_counts=True)
    return size[index]


def _deviations(rewards, groups):
    """Reward minus the group's mean, and the group's unbiased deviation, (B,) each; r and 1 for a group of one."""
    _, index, size = torch.unique(groups, return_inverse=True, return_counts=True)
    empty = rewards.new_zeros(len(size))
    # above the group's least reward first: equal rewards then have a mean and a deviation of exactly zero
    above = rewards - empty.scatter_reduce(0, index, rewards, "amin", include_self=False)[index]
    centred = above - (empty.index_add(0, index, above) / size)[index]
    deviation = torch.sqrt(empty.index_add(0, index, centred**2) / (size - 1).clamp(min=1))[index]
    alone = size[index] == 1
    return torch.where(alone, rewards, centred), torch.where(alone, 1, deviation)


def _group_quantile(rewards, groups, quantile):
    """The least reward of each response's group with share(rewards <= it) >= `quantile` (B,); 0 for a group of one."""
    _, index, size = torch.unique(groups, return_inverse=True, return_counts=True)
    order = torch.argsort(rewards, stable=True)
    order = order[torch.argsort(index[order], stable=True)]  # group after group, by reward within each
    shares = torch.arange(1, int(size.max()) + 1, dtype=torch.float64, device=size.device) / size[:, None]
    place = size.cumsum(0) - size + (shares < quantile).sum(dim=-1)
    return torch.where(size == 1, 0, rewards[order[place]])[index]


def _at_last_token(scores, mask):
    """Scores (B,) on the last valid token of each row (B, T), zero elsewhere."""
    later = mask.flip(-1).cumsum(dim=-1).flip(-1)  # valid tokens from here on
    return torch.where(mask & (later == 1), scores[:, None], scores.new_zeros(()))


def _returns_to_go(token_rewards, mask, gamma):
    """Discounted sum of each token's own and later rewards (B, T)."""
    returns, running = torch.zeros_like(token_rewards), torch.zeros_like(token_rewards[:, 0])
    for t in range(mask.shape[1] - 1, -1, -1):
        running = torch.where(mask[:, t], token_rewards[:, t] + gamma * running, running)
        returns[:, t] = running
    return returns


def _whiten(values, mask):
    """(x - mean) / sqrt(var + 1e-8), unbiased over the valid tokens of the whole batch."""
    valid = values[mask]
    if len(valid) < 2:
        raise ValueError(f"whitening needs at least two tokens, the mask has {len(valid)}")
    return (values - valid.mean()) * torch.rsqrt(valid.var() + 1e-8)
