"""Protects the measured side of the claims: each kind of quantity gives the known answer on curves made for it."""

import numpy as np
import pyarrow as pa
import pytest

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.curves import Curve
from workflow_scripts.analysis.quantities import measure
from workflow_scripts.analysis.results import Audit, LawPoints, Results, step_columns

STEP = np.arange(0.0, 101.0, 5.0)
SEEDS = (0, 1, 2)


def arm(entropy: str, seed: int, **other: str) -> Arm:
    names = {"policy": "base", "data": "q", "algorithm": "grpo", "reward": "truth", "entropy": entropy} | other
    return Arm(role=f"{'.'.join(names.values())}.{seed}", seed=seed, studies=("entropy_law",), **names)


def curve(length: float, a: float = 0.3, b: float = 1.0) -> Curve:
    """Entropy falls from 0.8 to 0.1, and accuracy follows the law exactly."""
    entropy = 0.8 - 0.7 * STEP / 100
    return Curve(STEP, b - a * np.exp(entropy), entropy, np.full_like(STEP, length), np.full_like(STEP, 500.0))


def results_of(arms: dict[Arm, Curve], **more) -> Results:
    points = {one.role: LawPoints(c.entropy[1:], c.accuracy[1:], c.step[1:]) for one, c in arms.items()}
    return Results(list(arms), curves={one.role: c for one, c in arms.items()}, points=points, **more)


@pytest.fixture
def two_settings() -> Results:
    """KL-Cov has responses twice as long and a ceiling 0.1 higher; each seed a little more."""
    arms = {arm("none", s): curve(10.0) for s in SEEDS}
    return results_of(arms | {arm("kl_cov", s): curve(20.0 + s, b=1.1 + 0.001 * s) for s in SEEDS})


VARY = {"vary": "entropy", "value": "kl_cov", "versus": "none"}


def test_ratio_of_lengths(two_settings):
    found = measure(two_settings, {"kind": "length_ratio", **VARY})
    assert found.value == pytest.approx((2.0 * 2.1 * 2.2) ** (1 / 3)) and found.low < found.value < found.high


def test_ceilings_and_variance_explained(two_settings):
    difference = measure(two_settings, {"kind": "law_ceiling_difference", **VARY})
    assert difference.value == pytest.approx(0.101) and difference.seeds == 3
    for entropy in ("training", "validation"):
        explained = {"kind": "law_r2", "entropy": entropy, "where": {"study": "entropy_law"}}
        assert measure(two_settings, explained).value == pytest.approx(1.0)
    assert measure(two_settings, {"kind": "law_r2", "entropy": "training", "where": {"study": "other"}}).seeds == 0


def test_late_gain_counts_responses_of_the_group_only():
    """Free-form subjects fall by 0.2 (weights 3 to 1), the control rises."""

    def of(start: float, end: float, n: float) -> Curve:
        accuracy = np.where(STEP <= 25, start, end)
        return Curve(STEP, accuracy, np.ones_like(STEP), np.ones_like(STEP), np.full_like(STEP, n))

    one = arm("none", 0)
    subjects = {"a": of(0.6, 0.3, 30.0), "b": of(0.2, 0.3, 10.0), "arithmetic": of(0.1, 0.9, 500.0)}
    results = results_of({one: curve(1.0)}, accuracies={one.role: subjects}, groups={"control": ["arithmetic"]})
    quantity = {"kind": "late_gain", "from": 0.2, "where": {"entropy": "none"}}
    assert measure(results, quantity | {"subjects": "free_form"}).value == pytest.approx(0.3 - 0.5)
    assert measure(results, quantity | {"subjects": "control"}).value == pytest.approx(0.8)


def test_a_common_trend_is_no_correlation():
    """Both series fall: independent noise on them gives none within the windows, common noise gives all."""
    rng, one = np.random.default_rng(0), arm("none", 0)
    trend = np.linspace(5.0, 0.0, 400)
    noise, other = rng.normal(size=(2, 400)) * 0.1
    quantity = {"kind": "step_correlation", "of": "group_cov", "with": "entropy_drop", "within": 20}
    for drop, expected in ((trend + other, 0.0), (trend + noise, 1.0)):
        columns = {"group_cov": trend + noise, "entropy_change": -drop}
        columns["entropy_change"][7] = np.nan  # a step without a measurement
        results = results_of({one: curve(1.0)}, steps={one.role: columns})
        assert measure(results, quantity).value == pytest.approx(expected, abs=0.12)
    assert np.corrcoef(trend + noise, trend + other)[0, 1] > 0.99


def test_means_and_ratios_over_steps():
    table = pa.table({"step": [2, 1], "cov_top_02": [4.0, None], "cov_top_50": [1.0, 3.0], "warning": ["", ""]})
    columns = step_columns(table)
    assert columns.keys() == {"step", "cov_top_02", "cov_top_50"} and columns["cov_top_50"].tolist() == [3.0, 1.0]
    arms = {arm("none", s): curve(1.0) for s in SEEDS}
    results = results_of(arms, steps={one.role: columns for one in arms})
    assert measure(results, {"kind": "step_mean", "of": "cov_top_50"}).value == 2.0
    assert measure(results, {"kind": "step_ratio", "of": "cov_top_02", "over": "cov_top_50"}).value == pytest.approx(2)


def test_figures_of_the_audits():
    def judged(seed: int) -> Audit:
        kappa = {"judge": "teacher", "versus": "truth", "subject": "all", "metric": "kappa", "value": 0.9 + seed / 100}
        votes = [{"votes": m, "versus": "truth", "subject": "all", "kappa": 0.9 + m / 1000} for m in (1, 10)]
        rates = {("teacher", "."): 0.6, ("teacher", ""): 0.0, ("distilled", "."): 0.1, ("distilled", ""): 0.1}
        probes = [
            {"judge": judge, "probe": probe, "subject": "all", "false_positive_rate": rate}
            for (judge, probe), rate in rates.items()
        ]
        return Audit([kappa], votes, [*probes, {**probes[0], "subject": "arithmetic", "false_positive_rate": 1.0}])

    results = Results([], audits={("judge", seed): judged(seed) for seed in SEEDS})
    agreement = {"kind": "audit", "judge": "teacher", "versus": "truth", "metric": "kappa"}
    assert measure(results, agreement).value == pytest.approx(0.91)
    votes = {"kind": "votes_difference", "votes": 10, "less": 1, "versus": "truth"}
    assert measure(results, votes).value == pytest.approx(0.009)
    probes = {"kind": "probe_difference", "judge": "distilled", "less": "teacher"}
    assert measure(results, probes).value == pytest.approx(-0.2)
