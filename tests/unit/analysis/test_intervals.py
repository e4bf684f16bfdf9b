"""Protects the intervals: quantiles against printed tables, coverage on synthetic data, the method named."""

import numpy as np
import pytest

from workflow_scripts.analysis import intervals
from workflow_scripts.analysis.intervals import of_runs, over_questions, over_seeds, over_seeds_and_questions
from workflow_scripts.analysis.student import t_cdf, t_quantile


@pytest.mark.parametrize(
    ("probability", "df", "printed"),
    [(0.975, 1, 12.7062), (0.975, 2, 4.3027), (0.975, 4, 2.7764), (0.95, 10, 1.8125), (0.995, 30, 2.7500)],
)
def test_t_quantiles_are_those_of_printed_tables(probability, df, printed):
    assert t_quantile(probability, df) == pytest.approx(printed, abs=5e-5)
    assert t_cdf(t_quantile(probability, df), df) == pytest.approx(probability, abs=1e-12)


def test_t_quantile_is_symmetric_and_refuses_nonsense():
    assert t_quantile(0.1, 3) == -t_quantile(0.9, 3)
    with pytest.raises(ValueError, match="no t quantile"):
        t_quantile(1.0, 3)


def test_one_seed_has_no_interval_over_seeds():
    estimate = over_seeds([0.4])
    assert estimate.value == 0.4 and not estimate.has_interval and estimate.method == intervals.ONE_SEED


def test_bootstrap_is_reproducible_and_near_the_normal_interval():
    values = np.random.default_rng(3).random(400)
    one, two = over_questions(values), over_questions(values)
    assert one == two
    half = 1.96 * values.std() / 20
    assert one.low == pytest.approx(values.mean() - half, abs=0.01)
    assert one.high == pytest.approx(values.mean() + half, abs=0.01)


def test_equal_values_have_no_interval_over_questions():
    estimate = over_questions([0.0] * 30)
    assert estimate.value == 0.0 and not estimate.has_interval


def test_t_interval_covers_at_two_seeds_where_a_percentile_bootstrap_could_not():
    rng = np.random.default_rng(0)
    estimates = [over_seeds(rng.normal(0.5, 0.1, 2)) for _ in range(600)]
    assert 0.92 < np.mean([e.low <= 0.5 <= e.high for e in estimates]) < 0.98


@pytest.mark.parametrize("seeds", [3, 5])
def test_crossed_interval_covers_a_new_draw_of_seeds_and_questions(seeds):
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        noise = rng.normal(0, 0.3, (seeds, 40))
        matrix = 0.5 + rng.normal(0, 0.05, (seeds, 1)) + rng.normal(0, 0.2, (1, 40)) + noise
        estimate = over_seeds_and_questions(matrix)
        hits += estimate.low <= 0.5 <= estimate.high
    assert 0.92 < hits / 400 <= 1.0


def test_method_follows_from_the_data():
    shared = [{"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 1.0}]
    own = [{"a": 0.0, "b": 1.0}, {"c": 1.0, "d": 1.0}]
    assert of_runs(shared[:1]).method == intervals.QUESTIONS
    assert of_runs(shared).method == intervals.CROSSED
    estimate = of_runs(own)
    assert (estimate.method, estimate.questions) == (intervals.SEEDS, 4)
    assert of_runs([{}]).seeds == 0
