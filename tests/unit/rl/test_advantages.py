"""Every estimator against a loop written from its definition."""

import math
import statistics

import pytest
import torch

from workflow_scripts.rl.advantages import DEFAULTS, advantage_options, compute_advantages

WIDTH = 5
# valid positions of each row: full rows, holes, a late start, a single token
PLACES = [[0, 1, 2], [0], [0, 1, 3, 4], [1, 2], [0, 2, 4], [0, 1], [0, 1, 2], [3, 4], [0, 1, 2, 3, 4]]
GROUPS = [7, 2, 7, 2, 7, 5, 2, 7, 2]  # sizes 4, 4 and 1, not adjacent
REWARDS = [1.0, 0.0, 0.25, 1.0, 0.5, 0.75, 0.0, 1.0, 0.3]


def batch():
    mask = torch.tensor([[t in places for t in range(WIDTH)] for places in PLACES]).long()
    token_kl = torch.sin(torch.arange(mask.numel(), dtype=torch.float64)).reshape(mask.shape)
    token_kl[mask == 0] = float("nan")  # what is not a token may hold anything
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


def score(name, rewards, i, quantile=0.4, std_floor=0.0):
    """The scalar score of response `i`."""
    group = [r for r, g in zip(rewards, GROUPS, strict=True) if g == GROUPS[i]]
    others = [r for j, r in enumerate(rewards) if GROUPS[j] == GROUPS[i] and j != i]
    mean = statistics.fmean(group) if others else 0.0
    deviation = max(std_floor, statistics.stdev(group) if others else 1.0) + 1e-6
    reached = [x for x in sorted(group) if sum(r <= x for r in group) / len(group) >= quantile]
    return {
        "reinforce": rewards[i],
        "reinforce_plus_plus": rewards[i],
        "reinforce_plus_plus_baseline": rewards[i] - mean,
        "dr_grpo": rewards[i] - mean,
        "rloo": rewards[i] - (statistics.fmean(others) if others else 0.0),
        "grpo": (rewards[i] - mean) / deviation,
        "qae": (rewards[i] - (reached[0] if others else 0.0)) / deviation,
    }[name]


def by_loop(name, kl_coef=0.0, kl_level="sequence", gamma=1.0, should_whiten=False, **options):
    """Rows of advantages of the valid tokens only."""
    kl = [[x for x in row if not math.isnan(x)] for row in batch()["token_kl"].tolist()]
    rewards = REWARDS
    if kl_level == "sequence":
        rewards = [r - kl_coef * sum(k) for r, k in zip(REWARDS, kl, strict=True)]
    rows = []
    for i, row in enumerate(kl):
        tokens = [-kl_coef * k if kl_level == "token" else 0.0 for k in row]
        tokens[-1] += score(name, rewards, i, **options)
        rows.append([sum(gamma ** (s - t) * tokens[s] for s in range(t, len(row))) for t in range(len(row))])
    return whiten(rows) if should_whiten else rows


def assert_equal(values, expected):
    for row, want, places in zip(values.tolist(), expected, PLACES, strict=True):
        assert [row[t] for t in places] == pytest.approx(want, abs=1e-12)
        assert [row[t] for t in range(WIDTH) if t not in places] == [0.0] * (WIDTH - len(places))


@pytest.mark.parametrize("name", sorted(DEFAULTS))
@pytest.mark.parametrize(("kl_level", "gamma"), [("sequence", 1.0), ("token", 1.0), ("token", 0.9)])
@pytest.mark.parametrize("kl_coef", [0.0, 0.3])
@pytest.mark.parametrize("should_whiten", [False, True])
def test_against_a_loop(name, kl_level, gamma, kl_coef, should_whiten):
    """All combinations, with groups that are not adjacent, a group of one, and masks with holes."""
    options = {"kl_coef": kl_coef, "kl_level": kl_level, "gamma": gamma, "whiten": should_whiten}
    values = compute_advantages(name, **batch(), options=options)
    assert_equal(values, by_loop(name, kl_coef, kl_level, gamma, should_whiten))


def test_published_defaults():
    """Only REINFORCE++ and its baseline form whiten, only REINFORCE++ has its KL by token; no KL in the reward."""
    assert {name for name, options in DEFAULTS.items() if options["whiten"]} == {
        "reinforce_plus_plus",
        "reinforce_plus_plus_baseline",
    }
    assert [name for name, options in DEFAULTS.items() if options["kl_level"] == "token"] == ["reinforce_plus_plus"]
    assert {(options["kl_coef"], options["gamma"]) for options in DEFAULTS.values()} == {(0.0, 1.0)}
    assert DEFAULTS["qae"]["quantile"] == 0.4 and DEFAULTS["qae"]["eps"] == DEFAULTS["grpo"]["eps"] == 1e-6
    for name in DEFAULTS:
        values = compute_advantages(name, **batch())
        assert_equal(values, by_loop(name, should_whiten=DEFAULTS[name]["whiten"]))
    inputs = batch()
    without = compute_advantages("grpo", **(inputs | {"token_kl": None}))
    assert torch.equal(compute_advantages("grpo", **inputs), without)


def test_one_right_of_eight_gets_the_published_advantage():
    one_right = compute_advantages(
        "grpo", rewards=torch.tensor([1.0] + [0.0] * 7), groups=torch.zeros(8).long(), mask=torch.ones(8, 1)
    )
    assert one_right[0].item() == pytest.approx(0.875 / (math.sqrt(1 / 8) + 1e-6), rel=1e-6)  # 2.475


def test_rloo_with_kl_by_token_as_in_openrlhf():
    """Leave-one-out on the reward alone, on the last token; then the KL of each token, then the return to go."""
    values = compute_advantages(
        "rloo",
        rewards=torch.tensor([1.0, 0.0, 0.5]),
        groups=torch.zeros(3).long(),
        mask=torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0]]),
        token_kl=torch.tensor([[0.1, -0.2, 0.4], [1.0, 0.5, 9.0], [0.3, 9.0, 9.0]]),
        options={"kl_coef": 0.1, "kl_level": "token"},
    )
    expected = [[0.75 - 0.03, 0.75 - 0.02, 0.75 - 0.04], [-0.75 - 0.15, -0.75 - 0.05, 0], [-0.03, 0, 0]]
    torch.testing.assert_close(values, torch.tensor(expected))


@pytest.mark.parametrize("name", ["grpo", "rloo", "dr_grpo", "qae", "reinforce_plus_plus_baseline"])
@pytest.mark.parametrize("reward", [0.1, 1 / 3, 0.7, -1e3, 0.0])
def test_equal_rewards_teach_nothing(name, reward):
    """Exactly zero, not rounding divided by eps: a mean of seven times 0.1 is not 0.1 in binary."""
    groups, mask = torch.tensor([0] * 7 + [1] * 2), torch.ones(9, 2)
    rewards = torch.tensor([reward] * 7 + [1.0, 0.0])
    values = compute_advantages(name, rewards=rewards, groups=groups, mask=mask, options={"whiten": False})
    assert values[:7].abs().max() == 0 and values[7:].abs().max() > 0.4


def test_the_floor_tames_tiny_deviations():
    inputs = {"rewards": torch.tensor([0.001, 0.0]), "groups": torch.zeros(2).long(), "mask": torch.ones(2, 2)}
    free = compute_advantages("grpo", **inputs)
    floored = compute_advantages("grpo", **inputs, options={"std_floor": 0.1})
    assert free[0, 0].item() == pytest.approx(0.0005 / (0.001 / math.sqrt(2) + 1e-6), rel=1e-4)
    assert floored[0, 0].item() == pytest.approx(0.005, rel=1e-4)
    assert compute_advantages("qae", **inputs, options={"std_floor": 0.1})[0, 0].item() == pytest.approx(0.01, rel=1e-4)


def test_eps_is_added_to_the_deviation():
    inputs = {"rewards": torch.tensor([1.0, 0.0]), "groups": torch.zeros(2).long(), "mask": torch.ones(2, 1)}
    value = compute_advantages("grpo", **inputs, options={"eps": 0.5})[0, 0].item()
    assert value == pytest.approx(0.5 / (math.sqrt(0.5) + 0.5), rel=1e-6)


def test_groups_of_one_keep_their_reward():
    """As verl defines it: mean 0, deviation 1. The reward is divided by 1 + eps only."""
    for name in set(DEFAULTS) - {"reinforce_plus_plus", "reinforce_plus_plus_baseline"}:
        values = compute_advantages(name, rewards=torch.tensor([0.7]), groups=torch.tensor([3]), mask=torch.ones(1, 2))
        assert values.tolist() == [pytest.approx([0.7, 0.7], rel=2e-6)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 10, 16, 20])
@pytest.mark.parametrize("quantile", [0.1, 0.25, 0.4, 0.5, 0.55, 0.6, 0.7, 0.9, 1.0])
def test_quantile_baseline_is_the_right_continuous_one(size, quantile):
    """b = least x with share(rewards <= x) >= K; for 0/1 rewards 1 where the share of right answers is above 1 - K.

    Then hard prompts only reward right answers, easy ones only punish wrong answers (the paper's two regimes).
    """
    for right in range(size + 1):
        rewards = torch.tensor([1.0] * right + [0.0] * (size - right), dtype=torch.float64).flip(0)
        values = compute_advantages("qae", rewards=rewards, groups=torch.zeros(size).long(),
                                    mask=torch.ones(size, 1), options={"quantile": quantile})[:, 0]  # fmt: skip
        if size == 1:
            continue
        easy = round(size * quantile * 1000) > (size - right) * 1000  # wrong answers alone do not make up the share
        baseline = 1.0 if easy else 0.0
        deviation = rewards.std() + 1e-6
        torch.testing.assert_close(values, (rewards - baseline) / deviation, rtol=1e-12, atol=0)
        assert (values[rewards == baseline] == 0).all()


def test_quantile_of_soft_rewards_is_one_of_them():
    """Not a number between two rewards, as an interpolated quantile is: the second of five sorted rewards here."""
    rewards, groups = torch.tensor([0.9, 0.2, 0.7, 0.1, 0.4]), torch.zeros(5).long()
    values = compute_advantages("qae", rewards=rewards, groups=groups, mask=torch.ones(5, 1))[:, 0]
    assert values[1] == 0 and (values == 0).sum() == 1
    assert torch.quantile(rewards, 0.4).item() == pytest.approx(0.32)  # what interpolation would give


def test_reinforce_plus_plus_is_the_plain_reward_with_its_own_defaults():
    options = {"kl_coef": 0.2, "gamma": 0.95}
    own = compute_advantages("reinforce_plus_plus", **batch(), options=options)
    plain = compute_advantages("reinforce", **batch(), options=options | {"kl_level": "token", "whiten": True})
    assert torch.equal(own, plain)


def test_fully_masked_responses_keep_zero():
    """They count in their group's mean, whose reward they have, and nowhere else."""
    mask = torch.tensor([[1, 1], [0, 0]])
    for name in DEFAULTS:
        values = compute_advantages(name, rewards=torch.tensor([1.0, 0.0]), groups=torch.tensor([0, 0]), mask=mask)
        assert values[1].tolist() == [0.0, 0.0] and torch.isfinite(values).all()
    centred = compute_advantages("dr_grpo", rewards=torch.tensor([1.0, 0.0]), groups=torch.tensor([0, 0]), mask=mask)
    assert centred[0].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_the_order_of_responses_does_not_matter(name):
    inputs, order = batch(), torch.tensor([4, 8, 0, 3, 1, 7, 2, 6, 5])
    options = {"kl_coef": 0.3}
    straight = compute_advantages(name, **inputs, options=options)
    mixed = compute_advantages(name, **{key: tensor[order] for key, tensor in inputs.items()}, options=options)
    torch.testing.assert_close(mixed, straight[order], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("tokens", [0, 1])
@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_whitening_needs_two_tokens(name, tokens):
    mask = torch.zeros(9, WIDTH)
    mask[0, :tokens] = 1
    with pytest.raises(ValueError, match="at least two tokens"):
        compute_advantages(name, **(batch() | {"mask": mask}), options={"whiten": True})
    plain = compute_advantages(name, **(batch() | {"mask": mask}), options={"whiten": False})
    assert (plain != 0).sum() <= tokens


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gae", {}, "unknown advantage 'gae', allowed: reinforce"),
        ("grpo", {"quantile": 0.5}, "unknown option 'quantile'"),
        ("rloo", {"eps": 1e-4}, "unknown option 'eps'"),
        ("rloo", {"kl_level": "response"}, "kl_level 'response', allowed: sequence, token"),
        ("rloo", {"gamma": 0.99}, "gamma 0.99 discounts tokens and needs kl_level token"),
        ("reinforce_plus_plus", {"gamma": 0.9, "kl_level": "sequence"}, "needs kl_level token"),
        ("qae", {"quantile": 0.0}, "quantile 0.0 is not above 0"),
        ("qae", {"quantile": 1.5}, "quantile 1.5 is not above 0 and at most 1"),
    ],
)
def test_bad_options_are_refused(name, options, message):
    """By the settings' check before a run, and by the estimator itself."""
    for call in (
        lambda: advantage_options(name, options),
        lambda: compute_advantages(name, **batch(), options=options),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_kl_coefficient_without_kl_is_refused():
    """Silence would train without the penalty that the settings name."""
    with pytest.raises(ValueError, match="kl_coef 0.1 needs token_kl"):
        compute_advantages("rloo", **(batch() | {"token_kl": None}), options={"kl_coef": 0.1})
