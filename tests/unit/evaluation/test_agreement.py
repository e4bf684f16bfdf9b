"""Agreement and calibration figures against cases computed by hand."""

import math

import numpy as np
import pytest

from workflow_scripts.evaluation.agreement import Confusion, confusion, expected_calibration_error, reliability


def test_kappa_of_a_textbook_table():
    found = Confusion(true_yes=20, false_yes=5, false_no=10, true_no=15)  # p_o = .7, p_e = .5
    assert found.kappa == pytest.approx(0.4)
    assert found.accuracy == pytest.approx(0.7)
    assert found.balanced_accuracy == pytest.approx((20 / 30 + 15 / 20) / 2)
    assert found.false_positive_rate == pytest.approx(0.25)


def test_a_constant_rater_has_kappa_zero_however_often_it_is_right():
    actual = np.array([True] * 95 + [False] * 5)
    for constant in (True, False):
        found = confusion(np.full(100, constant), actual)
        assert found.kappa == 0.0 and found.balanced_accuracy == 0.5
    assert confusion(actual, np.full(100, True)).kappa == 0.0
    assert confusion(np.full(9, True), np.full(9, True)).kappa == 0.0


def test_perfect_and_opposite_raters():
    actual = np.array([True, False, True, False])
    assert confusion(actual, actual).kappa == 1.0
    assert confusion(~actual, actual).kappa == -1.0


def test_weights_are_repetitions():
    verdicts, actual = np.array([True, False, True]), np.array([True, True, False])
    weighted = confusion(verdicts, actual, np.array([3, 2, 1]))
    repeated = confusion(np.repeat(verdicts, [3, 2, 1]), np.repeat(actual, [3, 2, 1]))
    assert weighted == repeated == Confusion(3, 1, 2, 0)


def test_missing_classes_and_no_items():
    assert confusion(np.array([True, False]), np.array([True, True])).balanced_accuracy == 0.5
    assert math.isnan(confusion(np.zeros(0), np.zeros(0)).accuracy)
    with pytest.raises(ValueError, match="differ in length"):
        confusion(np.zeros(2), np.zeros(3))


def test_reliability_bins_and_calibration_error_by_hand():
    p_yes = np.array([0.05, 0.05, 0.95, 1.0])
    actual = np.array([False, True, True, True])
    low, high = reliability(p_yes, actual)
    assert (low.low, low.high, low.mean_p_yes, low.share_yes, low.n) == (0.0, 0.1, pytest.approx(0.05), 0.5, 2)
    assert (high.low, high.high, high.mean_p_yes, high.share_yes, high.n) == (0.9, 1.0, pytest.approx(0.975), 1.0, 2)
    assert expected_calibration_error([low, high]) == pytest.approx(0.5 * 0.45 + 0.5 * 0.025)
