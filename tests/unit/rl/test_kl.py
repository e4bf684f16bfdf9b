"""Estimators of the KL to the reference: their means and the means of their gradients, by enumeration."""

import pytest
import torch

from workflow_scripts.rl.kl import ESTIMATORS, kl_estimate

LOGITS = torch.tensor([0.3, -1.0, 2.0, 0.0, -0.4], dtype=torch.float64)
REFERENCE = torch.tensor([0.9, 0.1, 1.2, -1.5, 0.0], dtype=torch.float64).log_softmax(-1)


def divergence(first, second):
    return (first.exp() * (first - second)).sum()


def gradient(function, logits=LOGITS):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(function(logits.log_softmax(-1)), logits)[0]


def mean_gradient(estimator, logits=LOGITS):
    """Mean over tokens sampled from the policy of the estimate's gradient: the probabilities are held."""
    weights = logits.log_softmax(-1).exp()
    return gradient(lambda policy: (weights * kl_estimate(policy, REFERENCE, estimator)).sum(), logits)


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_k1_and_k3_are_unbiased(estimator):
    policy = LOGITS.log_softmax(-1)
    mean = (policy.exp() * kl_estimate(policy, REFERENCE, estimator)).sum()
    assert mean.item() == pytest.approx(divergence(policy, REFERENCE).item(), rel=1e-12)


def test_k2_approaches_the_divergence_of_close_policies():
    """Its bias is of third order in the distance, the divergence of second: half the distance halves the ratio."""
    errors = []
    for distance in (0.002, 0.001):
        policy = (REFERENCE + distance * LOGITS).log_softmax(-1)
        exact = divergence(policy, REFERENCE)
        errors.append(abs((policy.exp() * kl_estimate(policy, REFERENCE, "k2")).sum() / exact - 1).item())
    assert 1e-6 < errors[0] < 1e-3 and errors[1] == pytest.approx(errors[0] / 2, rel=0.05)


def test_as_a_loss_k1_is_noise_k2_right_and_k3_the_other_direction():
    reverse = gradient(lambda policy: divergence(policy, REFERENCE))
    forward = gradient(lambda policy: divergence(REFERENCE, policy))
    assert mean_gradient("k1").abs().max() < 1e-15
    torch.testing.assert_close(mean_gradient("k2"), reverse, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(mean_gradient("k3"), forward, rtol=1e-12, atol=1e-15)
    assert (forward - reverse).abs().max() > 0.1  # far from each other here


def test_k3_agrees_with_k2_to_first_order():
    near = REFERENCE + 1e-4 * LOGITS
    torch.testing.assert_close(mean_gradient("k3", near), mean_gradient("k2", near), rtol=1e-3, atol=0)


def test_values_against_the_formulas():
    """k2 and k3 are never negative, all are 0 at equality, and nothing is clamped."""
    policy, reference = torch.tensor([-1.0, -2.0, -50.0, -0.1]), torch.tensor([-1.0, -1.0, -0.1, -50.0])
    assert kl_estimate(policy, reference, "k1").tolist() == pytest.approx([0, -1, -49.9, 49.9], rel=1e-6)
    assert kl_estimate(policy, reference, "k2").tolist() == pytest.approx([0, 0.5, 1245.005, 1245.005], rel=1e-6)
    expected = [0, 2.718281828 - 2, 4.689e21, 48.9]
    assert kl_estimate(policy, reference, "k3").tolist() == pytest.approx(expected, rel=1e-3)
    assert kl_estimate(policy, reference).equal(kl_estimate(policy, reference, "k3"))


def test_k3_of_close_policies_keeps_its_digits():
    """x^2 / 2 for a small x: exp(-x) - 1 computed in two steps would lose it to rounding."""
    x = torch.tensor([1e-4], dtype=torch.float32)
    assert kl_estimate(-1 + x, torch.tensor([-1.0]), "k3").item() == pytest.approx(5e-9, rel=0.05)


def test_unknown_estimators_are_refused():
    with pytest.raises(ValueError, match="unknown KL estimator 'k4', allowed: k1, k2, k3"):
        kl_estimate(REFERENCE, REFERENCE, "k4")
    assert list(ESTIMATORS) == ["k1", "k2", "k3"]
