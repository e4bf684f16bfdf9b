"""Every estimator against a loop written from its definition."""

import math
import statistics

import pytest
import torch

from workflow_scripts.rl.advantages import DEFAULTS, compute_advantages

LENGTHS = [3, 1, 4, 2, 4, 2, 3]
GROUPS = [7, 2, 7, 2, 7, 5, 2]  # sizes 3, 3 and 1, not adjacent
REWARDS = [1.0, 0.0, 0.25, 1.0, 0.5, 0.75, 0.0]


def batch():
    mask = torch.tensor([[t < n for t in range(4)] for n in LENGTHS]).long()
    token_kl = torch.sin(torch.arange(28, dtype=torch.float64)).reshape(7, 4)
    token_kl[mask == 0] = float("nan")  # padding may hold anything
    return {
        "rewards": torch.tensor(REWARDS, dtype=torch.float64),
        "groups": torch.tensor(GROUPS),
        "mask": mask,
        "token_kl": token_kl,
    }


def whiten(rows):
    values = [x for row in rows for x in row]
    mean, variance = statistics.fmean(values), statistics.variance(values)
    return [[(x - mean) / math.sqrt(variance + 1e-8) for x in row] for row in rows]


def by_loop(name, kl_coef, gamma, should_whiten):
    kl = [row[:n] for row, n in zip(batch()["token_kl"].tolist(), LENGTHS, strict=True)]
    rewards = [r - kl_coef * sum(k) for r, k in zip(REWARDS, kl, strict=True)]
    rows = []
    for i, length in enumerate(LENGTHS):
        group = [r for r, g in zip(rewards, GROUPS, strict=True) if g == GROUPS[i]]
        others = [r for j, r in enumerate(rewards) if GROUPS[j] == GROUPS[i] and j != i]
        mean = statistics.fmean(group) if others else 0.0
        deviation = statistics.stdev(group) if others else 1.0
        if name == "reinforce_plus_plus":
            tokens = [-kl_coef * k for k in kl[i]]
            tokens[-1] += REWARDS[i]
            rows.append([sum(gamma ** (s - t) * tokens[s] for s in range(t, length)) for t in range(length)])
            continue
        value = {
            "reinforce": rewards[i],
            "rloo": rewards[i] - (statistics.fmean(others) if others else 0.0),
            "grpo": (rewards[i] - mean) / (deviation + 1e-6),
            "dr_grpo": rewards[i] - mean,
            "reinforce_plus_plus_baseline": rewards[i] - mean,
        }[name]
        rows.append([value] * length)
    return whiten(rows) if should_whiten else rows


@pytest.mark.parametrize("name", sorted(DEFAULTS))
@pytest.mark.parametrize("kl_coef", [0.0, 0.3])
@pytest.mark.parametrize("should_whiten", [False, True])
def test_against_a_loop(name, kl_coef, should_whiten):
    options = {"kl_coef": kl_coef, "whiten": should_whiten}
    gamma = 1.0
    if name == "reinforce_plus_plus":
        options["gamma"] = gamma = 0.9
    values = compute_advantages(name, **batch(), options=options)
    expected = by_loop(name, kl_coef, gamma, should_whiten)
    for row, want, length in zip(values.tolist(), expected, LENGTHS, strict=True):
        assert row[:length] == pytest.approx(want, abs=1e-12)
        assert row[length:] == [0.0] * (4 - length)


def test_published_defaults():
    """Only REINFORCE++ and its baseline form whiten; no KL in the reward; GRPO's epsilon is 1e-6."""
    whitened = {name for name, options in DEFAULTS.items() if options["whiten"]}
    assert whitened == {"reinforce_plus_plus", "reinforce_plus_plus_baseline"}
    inputs = batch()
    with_kl = compute_advantages("grpo", **inputs)
    without = compute_advantages("grpo", **(inputs | {"token_kl": None}))
    assert torch.equal(with_kl, without)
    one_right = compute_advantages(
        "grpo", rewards=torch.tensor([1.0] + [0.0] * 7), groups=torch.zeros(8).long(), mask=torch.ones(8, 1)
    )
    assert one_right[0].item() == pytest.approx(0.875 / (math.sqrt(1 / 8) + 1e-6), rel=1e-6)  # 2.475


def test_constant_groups_get_zero_and_the_floor_tames_tiny_deviations():
    groups, mask = torch.tensor([0, 0, 1, 1]), torch.ones(4, 2)
    rewards = torch.tensor([0.5, 0.5, 0.001, 0.0])
    for name in ("grpo", "rloo", "dr_grpo"):
        assert compute_advantages(name, rewards=rewards, groups=groups, mask=mask)[:2].abs().max() == 0
    free = compute_advantages("grpo", rewards=rewards, groups=groups, mask=mask)
    floored = compute_advantages("grpo", rewards=rewards, groups=groups, mask=mask, options={"std_floor": 0.1})
    assert free[2, 0].item() == pytest.approx(0.0005 / (0.001 / math.sqrt(2) + 1e-6), rel=1e-4)
    assert floored[2, 0].item() == pytest.approx(0.005, rel=1e-4)


def test_fully_masked_responses_keep_zero():
    mask = torch.tensor([[1, 1], [0, 0]])
    for name in DEFAULTS:
        values = compute_advantages(name, rewards=torch.tensor([1.0, 0.0]), groups=torch.tensor([0, 0]), mask=mask)
        assert values[1].tolist() == [0.0, 0.0] and torch.isfinite(values).all()


def test_bad_requests_are_refused():
    inputs = batch()
    with pytest.raises(ValueError, match="unknown advantage"):
        compute_advantages("gae", **inputs)
    with pytest.raises(ValueError, match="unknown option 'gamma'"):
        compute_advantages("grpo", **inputs, options={"gamma": 1})
    one = torch.zeros(7, 4)
    one[0, 0] = 1
    with pytest.raises(ValueError, match="at least two tokens"):
        compute_advantages("reinforce_plus_plus", **(inputs | {"mask": one}))
