"""What is logged of a rollout batch equals its definition, whatever lies in the padding."""

import math

import numpy as np
import pytest
import torch

from workflow_scripts.rl.measures import covariance_profile, group_covariance, response_entropy, token_entropy

GROUPS = torch.tensor([5, 2, 5, 2, 5, 9])
LENGTHS = [4, 1, 2, 3, 4, 2]


@pytest.fixture
def batch():
    """(log_probs, advantages, mask) of six responses in three groups; NaN in the padding."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(4) < torch.tensor(LENGTHS)[:, None]
    log_probs = -torch.rand(6, 4, generator=generator, dtype=torch.float64)
    advantages = torch.randn(6, 1, generator=generator, dtype=torch.float64).expand(6, 4)
    return (*(torch.where(mask, values, torch.nan) for values in (log_probs, advantages)), mask)


def test_group_covariance_is_the_population_covariance_of_length_normalised_log_probs(batch):
    log_probs, advantages, mask = batch
    expected = []
    for group in (2, 5, 9):
        rows = [row for row in range(6) if GROUPS[row] == group]
        x = [float(log_probs[row, : LENGTHS[row]].mean()) for row in rows]
        expected.append(np.cov(x, [float(advantages[row, 0]) for row in rows], bias=True)[0, 1])
    np.testing.assert_allclose(group_covariance(log_probs, advantages, mask, GROUPS), expected, atol=1e-15)
    assert expected[2] == 0 and min(map(abs, expected[:2])) > 1e-3


def test_group_covariance_leaves_out_responses_without_tokens(batch):
    log_probs, advantages, mask = batch
    mask = mask.clone()
    mask[0] = False
    shorter = group_covariance(log_probs[1:], advantages[1:], mask[1:], GROUPS[1:])
    assert torch.equal(group_covariance(log_probs, advantages, mask, GROUPS), shorter)
    nothing = group_covariance(log_probs, advantages, torch.zeros_like(mask), GROUPS)
    assert nothing.shape == (0,) and float(nothing.sum()) == 0


def test_group_covariance_does_not_depend_on_a_constant(batch):
    """Neither the baseline of an advantage nor the order of rows counts."""
    log_probs, advantages, mask = batch
    order = torch.tensor([3, 5, 0, 1, 4, 2])
    moved = group_covariance(log_probs[order], advantages[order] + 7, mask[order], GROUPS[order])
    torch.testing.assert_close(moved, group_covariance(log_probs, advantages, mask, GROUPS))


def test_group_covariance_of_samples_in_proportion_is_the_covariance_of_the_policy():
    """Samples that occur as often as the policy says give Cov_{a~pi}(log pi, A) exactly: why it divides by n."""
    counts, values = torch.tensor([1, 2, 5]), torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    policy = counts.double() / counts.sum()
    actions = torch.repeat_interleave(torch.arange(3), counts)
    found = group_covariance(
        policy.log()[actions, None], values[actions, None], torch.ones(8, 1, dtype=bool), torch.zeros(8, dtype=int)
    )
    expected = (policy * policy.log() * (values - policy @ values)).sum()
    assert float(found) == pytest.approx(float(expected), rel=1e-12)


def test_entropies_weigh_responses_and_tokens(batch):
    """Eq. 5 is a mean of means over responses, the token mean is over tokens; they differ when lengths do."""
    entropy, _, mask = batch
    entropy = torch.where(mask, -entropy, 0)
    means = [float(entropy[row, :length].mean()) for row, length in enumerate(LENGTHS)]
    assert response_entropy(entropy, mask) == pytest.approx(np.mean(means))
    assert token_entropy(entropy, mask) == pytest.approx(float(entropy.sum()) / sum(LENGTHS))
    assert response_entropy(entropy, mask) != pytest.approx(token_entropy(entropy, mask))
    assert response_entropy(entropy, torch.zeros_like(mask)) is None
    assert math.isnan(token_entropy(entropy, torch.zeros_like(mask)))


def test_covariance_profile_means_the_largest_shares(batch):
    log_probs, advantages, mask = (torch.nan_to_num(values) for values in batch)
    x, y = log_probs[mask].numpy(), advantages[mask].numpy()
    products = np.sort((x - x.mean()) * (y - y.mean()))[::-1]
    profile = covariance_profile(log_probs, advantages, mask)
    assert profile["cov_all"] == pytest.approx(products.mean())
    assert profile["cov_top_50"] == pytest.approx(products[:8].mean())
    assert profile["cov_top_002"] == pytest.approx(products[0])
    assert set(covariance_profile(log_probs, advantages, mask & False).values()) == {None}
