"""The figures of engine and trainer by hand, and what an importance weight does to the loss."""

import math

import pytest
import torch

from workflow_scripts.rl.losses import LOSSES, policy_loss
from workflow_scripts.rl.mismatch import FIGURES, importance_weights, mismatch_figures

MASK = torch.tensor([[True, True, True], [True, False, False]])
ENGINE = torch.tensor([[-1.0, -2.0, -0.5], [-3.0, 7.0, math.nan]])
# p / q: 2, 1, 0.85 and 1.05; what lies under the mask is rubbish
TRAINER = ENGINE + torch.tensor([[2.0, 1.0, 0.85], [1.05, 9.0, 9.0]]).log()


def test_figures_are_those_of_the_ratios_under_the_mask():
    found, ratios = mismatch_figures(TRAINER, ENGINE, MASK), [2.0, 1.0, 0.85, 1.05]
    logs = [math.log(ratio) for ratio in ratios]
    expected = {
        "mismatch": sum(map(abs, logs)) / 4,
        "mismatch_max": math.log(2),
        "mismatch_ratio": sum(ratios) / 4,
        "mismatch_k3": sum(ratio - 1 - log for ratio, log in zip(ratios, logs, strict=True)) / 4,
        "mismatch_outside": 0.5,
    }
    assert tuple(found) == FIGURES
    assert found == pytest.approx(expected, rel=1e-5)


def test_there_are_none_where_the_engine_is_the_trainer():
    assert mismatch_figures(TRAINER, None, MASK) == dict.fromkeys(FIGURES)
    assert importance_weights(TRAINER, None, MASK, 2.0) is None
    assert importance_weights(TRAINER, ENGINE, MASK, None) is None


def test_weights_are_ratios_up_to_the_cap_and_one_under_the_mask():
    weights = importance_weights(TRAINER, ENGINE, MASK, 1.5)
    torch.testing.assert_close(weights, torch.tensor([[1.5, 1.0, 0.85], [1.05, 1.0, 1.0]]))


@pytest.mark.parametrize("name", LOSSES)
def test_a_weight_multiplies_the_loss_of_its_token(name):
    """By the gradient: a token's share of it, which no other token has, is multiplied; the denominator is not."""
    generator = torch.Generator().manual_seed(3)
    old, advantages = -torch.rand(2, 3, generator=generator), torch.randn(2, 3, generator=generator)
    weights = importance_weights(TRAINER, ENGINE, MASK, 1.5)
    gradients = {}
    for given in (None, weights):
        log_probs = (old + 0.05).requires_grad_()
        inputs = {"log_probs": log_probs, "old_log_probs": old, "advantages": advantages, "mask": MASK}
        loss, _ = policy_loss(
            name,
            **inputs,
            entropy=torch.rand(2, 3, generator=torch.Generator().manual_seed(1)),
            aggregation="seq-mean-token-mean" if name == "gspo" else "token-mean",
            generator=torch.Generator().manual_seed(0),
            weights=given,
        )
        loss.backward()
        gradients[given is None] = log_probs.grad
    plain, weighed = gradients[True], gradients[False]
    assert plain[MASK].abs().max() > 0 and torch.isfinite(weighed).all() and not weighed[~MASK].any()
    torch.testing.assert_close(weighed, plain * weights)
