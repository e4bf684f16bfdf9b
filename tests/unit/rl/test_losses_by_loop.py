"""Every loss with every aggregation equals a loop over tokens in double precision, in value and gradient."""

import pytest
import torch
from losses_by_loop import CASES, OPTIONS, by_loop, loss_and_gradient, random_input, seeded

from workflow_scripts.rl.losses import LOSSES, loss_options


def test_no_loss_is_left_out():
    assert set(OPTIONS) == set(LOSSES)


@pytest.mark.parametrize(("name", "aggregation"), CASES)
@pytest.mark.parametrize("seed", range(4))
def test_value_and_gradient(name, aggregation, seed):
    """Inputs have holes, an empty row and a row of one token; options make each mechanism act on many tokens."""
    inputs = random_input(seed)
    value, gradient, _ = loss_and_gradient(
        name, inputs, options=OPTIONS[name], aggregation=aggregation, generator=seeded(seed)
    )
    expected, slope = by_loop(name, inputs, aggregation, loss_options(name, OPTIONS[name]), permutation_seed=seed)
    assert value.item() == pytest.approx(expected, rel=1e-12, abs=1e-14)
    torch.testing.assert_close(gradient, slope, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(("name", "aggregation"), CASES)
def test_published_defaults_in_single_precision(name, aggregation):
    """Larger inputs in single precision, the defaults as they are: agreement to its rounding."""
    inputs = random_input(9, shape=(16, 64), dtype=torch.float32)
    value, gradient, _ = loss_and_gradient(name, inputs, aggregation=aggregation, generator=seeded())
    expected, slope = by_loop(name, inputs, aggregation, loss_options(name))
    assert value.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-5, atol=1e-6 * slope.abs().max().item())


@pytest.mark.parametrize(("name", "aggregation"), CASES)
def test_on_policy(name, aggregation):
    """log p equal to its old value, bit for bit: ratios are exactly one, the penalty of KL-Cov has no slope."""
    inputs = random_input(2)
    inputs["old_log_probs"] = inputs["log_probs"].clone()
    value, gradient, stats = loss_and_gradient(
        name, inputs, options=OPTIONS[name], aggregation=aggregation, generator=seeded()
    )
    options = loss_options(name, OPTIONS[name]) | ({"kl_cov_coef": 0.0} if name == "kl_cov" else {})
    expected, slope = by_loop(name, inputs, aggregation, options)
    assert value.item() == pytest.approx(expected, rel=1e-12, abs=1e-14)
    torch.testing.assert_close(gradient, slope, rtol=1e-11, atol=1e-14)
    assert stats["abs_kl_sum"].item() == 0
