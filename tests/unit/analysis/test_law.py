"""Protects the entropy law: exact recovery, honest intervals, and that a trend alone does not pass for the law."""

import numpy as np
import pytest

from workflow_scripts.analysis.law import (
    ceiling,
    fit,
    last_quarter,
    late_errors,
    least_squares,
    regressor,
    split_early,
)

STEP = np.arange(1, 61)
ENTROPY = 0.9 * np.exp(-STEP / 15) + 0.05


def test_exact_law_is_recovered():
    accuracy = -0.2 * np.exp(ENTROPY) + 0.9
    fitted = fit("exp", ENTROPY, accuracy, STEP)
    assert (fitted.a, fitted.b, fitted.r2) == pytest.approx((0.2, 0.9, 1.0))
    assert ceiling("exp", fitted).value == pytest.approx(0.7)
    errors = late_errors(ENTROPY, accuracy, STEP, 0.15)
    assert errors["exp"] < 1e-12 < min(errors[name] for name in ("linear", "log", "log_step", "last_value", "mean"))


def test_fit_is_the_least_squares_of_numpy():
    rng = np.random.default_rng(0)
    x, y = rng.random(30), rng.random(30)
    slope, intercept = np.polyfit(x, y, 1)
    fitted = least_squares(x, y)
    assert (-fitted.a, fitted.b) == pytest.approx((slope, intercept))


def test_ceiling_interval_covers_the_true_ceiling():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(300):
        accuracy = -0.2 * np.exp(ENTROPY) + 0.9 + rng.normal(0, 0.02, len(STEP))
        bound = ceiling("exp", fit("exp", ENTROPY, accuracy, STEP))
        hits += bound.low <= 0.7 <= bound.high
    assert 0.91 < hits / 300 < 0.99


def test_another_law_is_told_apart_out_of_sample_though_r2_is_high():
    accuracy = 0.3 - 0.12 * np.log(ENTROPY)
    assert fit("exp", ENTROPY, accuracy, STEP).r2 > 0.7
    errors = late_errors(ENTROPY, accuracy, STEP, 0.3)
    assert errors["log"] < 1e-12 and errors["exp"] > 0.02


def test_forms_without_a_ceiling_say_so():
    assert np.isnan(ceiling("log", fit("log", ENTROPY, STEP / 60, STEP)).value)
    with pytest.raises(ValueError, match="'square' is not one of exp"):
        regressor("square", ENTROPY, STEP)


def test_too_few_or_constant_points_give_nan_and_no_error():
    two = fit("exp", ENTROPY[:2], ENTROPY[:2], STEP[:2])
    assert np.isnan(two.a) and np.isnan(ceiling("exp", two).low)
    assert np.isnan(least_squares(np.ones(5), np.arange(5)).r2)
    assert np.isnan(late_errors(ENTROPY[:3], ENTROPY[:3], STEP[:3], 0.15)["exp"])


def test_early_part_is_the_first_share_of_the_steps():
    assert split_early(STEP, 0.15).sum() == 9
    assert split_early(STEP[:5], 0.15).sum() == 3
    assert list(last_quarter(STEP, STEP)) == list(range(45, 61))
