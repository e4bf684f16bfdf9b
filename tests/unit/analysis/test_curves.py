"""Protects the comparison of entropies: a slow learner is not mistaken for one that keeps entropy."""

import numpy as np
import pytest

from workflow_scripts.analysis.curves import Curve, at_equal_accuracy, entropy_ratio, plateau, spent_early

STEP = np.arange(0.0, 101.0, 5.0)


def curve(speed: float, factor: float = 1.0, top: float = 0.8) -> Curve:
    accuracy = 0.2 + (top - 0.2) * (1 - np.exp(-speed * STEP / 20))
    entropy = 0.6 - 0.65 * (accuracy - 0.2)
    entropy[1:] *= factor
    return Curve(STEP, accuracy, entropy, np.full_like(STEP, 12.0), np.full_like(STEP, 500.0))


def test_slow_learner_keeps_no_entropy_at_equal_accuracy():
    slow, fast = curve(0.5), curve(1.0)
    assert slow.entropy[10] > 1.1 * fast.entropy[10]
    assert at_equal_accuracy(slow, fast).ratio == pytest.approx(1.0, abs=0.01)


def test_ratio_is_found_over_the_range_that_both_reach():
    equal = at_equal_accuracy(curve(1.0, factor=2.0, top=0.6), curve(1.0))
    assert equal.ratio_top == pytest.approx(2.0, abs=0.02)
    assert equal.high == pytest.approx(0.6, abs=0.01)
    assert 1.5 < equal.ratio < 2.0  # the first levels lie near the common start


def test_curves_without_a_common_range_have_no_ratio():
    flat = Curve(STEP, np.full_like(STEP, 0.2), np.ones_like(STEP), STEP, STEP)
    assert np.isnan(at_equal_accuracy(flat, curve(1.0)).ratio)


def test_dips_of_a_noisy_curve_do_not_count_as_reaching_a_level_again():
    base = curve(1.0)
    dipped = base.accuracy.copy()
    dipped[12] -= 0.2
    noisy = Curve(STEP, dipped, base.entropy, base.length, base.n)
    assert at_equal_accuracy(noisy, base).ratio == pytest.approx(1.0, abs=0.02)


def test_plateau_and_early_share():
    one, other = plateau(curve(3.0, factor=2.0)), plateau(curve(3.0))
    assert entropy_ratio(one, other) == pytest.approx(2.0)
    assert abs(one.drift) < 1e-3 and one.accuracy == pytest.approx(0.8, abs=1e-3)
    assert spent_early(np.array([1.0, 0.2, 0.0, 0.0, 0.0]), np.arange(5.0), 0.25) == pytest.approx(0.8)
