"""The entropy-change theorem (arXiv 2505.22617, section 3) on tabular softmax policies, against finite differences.

The covariances are first-order predictions of H(k+1) - H(k), so what they miss must shrink with the square of the step
size: half the step leaves a quarter of the error.
"""

import math

import pytest
import torch

STATES, ACTIONS = 3, 6


def entropy(logits):
    """Mean over the states of the entropy of softmax(logits) (S, A), nats."""
    log_probs = torch.log_softmax(logits, dim=-1)
    return -(log_probs.exp() * log_probs).sum(dim=-1).mean()


def mean_covariance(policy, x, y):
    """E_s[Cov_{a~pi(.|s)}(x, y)], all (S, A)."""
    centred = [values - (policy * values).sum(dim=-1, keepdim=True) for values in (x, y)]
    return (policy * centred[0] * centred[1]).sum(dim=-1).mean()


def random_policy(seed):
    """(logits, policy, advantages A(s, a) = r(s, a) - E_a[r]) of a random problem."""
    generator = torch.Generator().manual_seed(seed)
    logits, rewards = torch.randn(2, STATES, ACTIONS, dtype=torch.float64, generator=generator)
    policy = torch.softmax(logits, dim=-1)
    return logits, policy, rewards - (policy * rewards).sum(dim=-1, keepdim=True)


def lemma(policy, advantages, seed):
    """Lemma 1: any direction of the logits."""
    generator = torch.Generator().manual_seed(1000 + seed)
    direction = torch.randn(policy.shape, dtype=torch.float64, generator=generator)
    return direction, direction


def vanilla(policy, advantages, seed):
    """Theorem 1: the policy gradient moves the logits by pi*A; -Cov(log pi, pi*A)."""
    return policy * advantages, policy * advantages


def natural(policy, advantages, seed):
    """Theorem 2: the natural policy gradient moves them by A; -Cov(log pi, A)."""
    return natural_gradient(policy, advantages), advantages


def natural_gradient(policy, advantages):
    """Pseudo-inverse of each state's Fisher matrix, diag(pi) - pi pi', times the policy gradient pi*A."""
    fisher = torch.diag_embed(policy) - policy[:, :, None] * policy[:, None, :]
    return (torch.linalg.pinv(fisher, hermitian=True) @ (policy * advantages)[..., None]).squeeze(-1)


@pytest.mark.parametrize("statement", [lemma, vanilla, natural])
def test_the_error_of_the_predicted_entropy_change_is_quadratic(statement):
    """Over 50 random policies; two halvings, each leaving a quarter of the error."""
    for seed in range(50):
        logits, policy, advantages = random_policy(seed)
        direction, second = statement(policy, advantages, seed)
        slope, errors = -mean_covariance(policy, policy.log(), second), []
        for eta in (4e-3, 2e-3, 1e-3):
            change = entropy(logits + eta * direction) - entropy(logits)
            errors.append(float(change - eta * slope))
        assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)
        assert errors[1] / errors[2] == pytest.approx(4, rel=0.03)


def test_the_vanilla_gradient_of_the_mean_reward_is_policy_times_advantage():
    """Proposition 1, by autograd: what Theorem 1 takes for the step of the logits is the gradient."""
    logits, policy, advantages = random_policy(0)
    logits.requires_grad_()
    rewards = advantages + 3.0  # any baseline
    (torch.softmax(logits, dim=-1) * rewards).sum().backward()
    torch.testing.assert_close(logits.grad, policy * advantages)


def test_the_natural_gradient_is_the_advantage_up_to_a_constant_per_state():
    """A constant over the actions changes neither the policy nor a covariance: Theorem 2's step is A."""
    _, policy, advantages = random_policy(1)
    difference = natural_gradient(policy, advantages) - advantages
    torch.testing.assert_close(difference, difference[:, :1].expand_as(difference), rtol=1e-9, atol=1e-9)


def test_rewarding_likely_actions_lowers_entropy_and_unlikely_ones_raises_it():
    """The sign of both theorems: a positive covariance is a fall of entropy."""
    for sign in (1, -1):
        logits, policy, _ = random_policy(2)
        rewards = sign * policy.log()
        advantages = rewards - (policy * rewards).sum(dim=-1, keepdim=True)
        for statement in (vanilla, natural):
            direction, second = statement(policy, advantages, 0)
            change = float(entropy(logits + 1e-3 * direction) - entropy(logits))
            assert math.copysign(1, change) == -sign
            assert math.copysign(1, float(mean_covariance(policy, policy.log(), second))) == sign
