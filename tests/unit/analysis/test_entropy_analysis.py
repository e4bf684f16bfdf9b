"""Protects the entropy analysis on curves of known truth: intervals, predictions, verdicts, sizes, covariance."""

from math import log

import numpy as np
import pytest

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.autocorrelation import effective_pairs, effective_points
from workflow_scripts.analysis.claims import FAILS, HOLDS, UNTESTABLE
from workflow_scripts.analysis.collapse import SHARES, UNCONTROLLED, collapse_rows
from workflow_scripts.analysis.covariance import changed, correlate, correlation_rows, quantile_rows, ranks
from workflow_scripts.analysis.curves import Curve
from workflow_scripts.analysis.law import ceiling, fit
from workflow_scripts.analysis.law_contrasts import LawRun, contrast_rows, size_rows
from workflow_scripts.analysis.law_prediction import predict_end
from workflow_scripts.analysis.law_verdicts import judge, verdict_rows
from workflow_scripts.analysis.model_size import non_embedding_parameters
from workflow_scripts.analysis.results import LawPoints

STEP = np.arange(1, 81)
ENTROPY = 0.85 * np.exp(-STEP / 12)
RESPONSES = np.full(80, 500)


def autoregressive(rng, r: float, n: int = 80) -> np.ndarray:
    noise = rng.normal(size=n)
    for i in range(1, n):
        noise[i] = r * noise[i - 1] + np.sqrt(1 - r**2) * noise[i]
    return noise


def points(accuracy: np.ndarray, entropy: np.ndarray = ENTROPY) -> LawPoints:
    return LawPoints(entropy, accuracy, STEP, RESPONSES)


def of_law(seed: int, a: float = 0.2, b: float = 0.9, noise: float = 0.01) -> LawPoints:
    return points(-a * np.exp(ENTROPY) + b + np.random.default_rng(seed).normal(0, noise, 80))


def test_independent_residuals_count_in_full_and_correlated_ones_do_not():
    rng = np.random.default_rng(0)
    white = np.mean([effective_points(rng.normal(size=80)) for _ in range(50)])
    alike = np.mean([effective_points(autoregressive(rng, 0.8)) for _ in range(50)])
    assert white > 60 and 3 <= alike < 15  # (1 - r) / (1 + r) of 80 is 9
    assert effective_pairs(rng.normal(size=400), rng.normal(size=400)) > 300


def test_ceiling_interval_covers_under_autocorrelation():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        accuracy = -0.2 * np.exp(ENTROPY) + 0.9 + 0.02 * autoregressive(rng, 0.6)
        bound = ceiling("exp", fit("exp", ENTROPY, accuracy, STEP))
        hits += bound.low <= 0.7 <= bound.high
    assert hits / 300 > 0.9  # ordinary least squares: 0.67


def test_prediction_interval_holds_the_end_and_the_noise_of_r():
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(200):
        truth = -0.2 * np.exp(ENTROPY) + 0.9
        found = {p.predictor: p for p in predict_end(points(rng.binomial(500, truth) / 500), 0.15)}
        inside += found["exp"].inside
        assert found["exp"].predicted.high - found["exp"].predicted.low > 2 * 1.96 * 0.9 * found["exp"].noise
    assert 0.9 < inside / 200 <= 1.0
    assert found["exp"].rmse_late < found["last_value"].rmse_late
    assert found["exp"].noise == pytest.approx(np.sqrt(0.7 * 0.3 / 500), rel=0.05)
    assert found["last_value"].inside is not True


def test_no_prediction_without_late_points():
    three = LawPoints(ENTROPY[:3], ENTROPY[:3], STEP[:3], RESPONSES[:3])
    assert predict_end(three, 0.15) == []


def test_verdict_holds_for_the_law_and_not_for_another_one():
    assert judge([of_law(seed) for seed in range(5)], 0.15).verdict == HOLDS
    other = [points(0.3 - 0.1 * np.log(ENTROPY) + np.random.default_rng(s).normal(0, 0.005, 80)) for s in range(5)]
    found = judge(other, 0.15)
    assert (found.verdict, found.alternative) == (FAILS, "log")


def test_one_seed_or_unspent_entropy_is_no_test():
    one = judge([of_law(0)], 0.15)
    assert (one.prediction, one.verdict) == (UNTESTABLE, UNTESTABLE)
    half = 0.4 + 0.45 * np.exp(-STEP / 12)
    unspent = [
        points(-0.2 * np.exp(half) + 0.9 + 0.01 * autoregressive(np.random.default_rng(s), 0), half) for s in (0, 1)
    ]
    found = judge(unspent, 0.15)
    assert found.ceiling == UNTESTABLE and "% of the entropy is left" in found.reason


def arm(seed: int, **fields: str) -> Arm:
    names = {"policy": "small", "data": "d", "algorithm": "grpo", "reward": "truth", "entropy": "none"} | fields
    return Arm(f"{names}{seed}", seed, **names, studies=("law",), setting="-".join(names.values()))


def test_null_control_is_marked():
    runs = [LawRun(arm(0, algorithm="own"), of_law(0)), LawRun(arm(0), of_law(1))]
    rows = verdict_rows(runs, "validation", 0.15, ["own"])
    assert [row["null_control"] for row in rows] == [True, False]


def test_coefficients_are_compared_within_a_study_and_follow_size():
    sizes = {"small": 10_000, "middle": 100_000, "large": 1_000_000}
    runs = [
        LawRun(arm(seed, policy=name), of_law(seed, b=0.3 + 0.05 * log(size), noise=0.002), size)
        for name, size in sizes.items()
        for seed in range(3)
    ]
    rows = {(r["level"], r["quantity"]): r for r in contrast_rows(runs, "training")}
    assert rows["small", "b"]["difference"] == 0.0
    assert rows["large", "b"]["difference"] == pytest.approx(0.05 * log(100), abs=0.002)
    assert rows["large", "a"]["difference_low"] < 0.001 and rows["large", "a"]["parameters"] == 1_000_000
    slopes = {r["quantity"]: r for r in size_rows(runs, "training")}
    assert slopes["ceiling"]["value"] == pytest.approx(0.05, abs=0.001) and slopes["ceiling"]["sizes"] == 3
    assert slopes["a"]["low"] < 0.0005 and slopes["a"]["high"] > -0.0005
    assert contrast_rows(runs[:3], "training") == []


@pytest.mark.parametrize(
    (
        "shape",
        "parameters",
    ),  # of Qwen2.5 7B and 32B: all weights of the published files less two tables of 152,064 rows
    [
        ((3584, 18944, 28, 28, 4), 7_615_616_512 - 2 * 152_064 * 3584),
        ((5120, 27648, 64, 40, 8), 32_763_876_352 - 2 * 152_064 * 5120),
    ],
)
def test_parameters_without_embeddings_are_those_of_published_models(shape, parameters):
    keys = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    assert non_embedding_parameters(dict(zip(keys, shape, strict=True)) | {"model_type": "qwen2"}) == parameters
    assert non_embedding_parameters({"model_type": "mamba"}) is None


def test_collapse_of_known_curves():
    curve = np.array([1.0, 0.25, 0.0, 0.0, 0.0]), np.array([0.0, 1 / 12, 1 / 3, 0.75, 1.0]) * 12
    series = dict.fromkeys(("training entropy", "validation entropy", "accuracy"), curve)
    runs = [(arm(s), series) for s in (0, 1)] + [(arm(0, entropy="kl_cov"), series), (arm(0, algorithm="own"), series)]
    rows = {(r["arm"], r["quantity"], r["share"]): r for r in collapse_rows(runs, ["own"])}
    whole = rows[UNCONTROLLED, "accuracy", SHARES[0]]
    assert (whole["value"], whole["seeds"]) == (pytest.approx(0.75), 2)
    assert rows[UNCONTROLLED, "accuracy", SHARES[1]]["value"] == pytest.approx(1.0)


def test_a_shared_trend_alone_is_no_correlation_of_first_differences():
    rng = np.random.default_rng(3)
    trend = np.exp(-np.arange(400) / 100)
    fall, covariance = (trend + 0.05 * rng.normal(size=400) for _ in range(2))
    assert correlate(fall, covariance).value > 0.8
    for series in ("first differences", "detrended"):
        left = correlate(changed(fall, series), changed(covariance, series))
        assert left.low < 0 < left.high, series


def test_correlation_interval_covers_under_autocorrelation():
    rng = np.random.default_rng(4)
    found = [correlate(autoregressive(rng, 0.8, 400), autoregressive(rng, 0.8, 400)) for _ in range(200)]
    assert 0.88 < np.mean([one.low <= 0 <= one.high for one in found]) <= 1.0
    assert (
        np.mean([abs(one.value) > 1.96 / 20 for one in found]) > 0.2
    )  # what 400 independent pairs would find "significant"


def test_ranks_share_ties():
    assert list(ranks(np.array([3.0, 1.0, 3.0, 2.0]))) == [2.5, 0.0, 2.5, 1.0]


def columns(rng, n: int = 40) -> dict:
    covariance = rng.random(n)
    tops = {f"cov_top_{name}": [value] * n for name, value in (("002", 6.0), ("02", 3.0), ("2", 1.4), ("20", 0.4))}
    whole = {"step": list(range(1, n + 1)), "group_cov": covariance.tolist(), "entropy_change": (-covariance).tolist()}
    return whole | tops | {"cov_top_50": [0.2] * n, "cov_all": [None] + [0.01] * (n - 1)}


def test_covariance_and_entropy_change_of_known_metrics():
    rng = np.random.default_rng(5)
    runs = [(arm(seed), columns(rng)) for seed in (0, 1)]
    rows = {(r["top"], r["when"]): r for r in quantile_rows(runs)}
    assert rows[0.0002, "step 1"]["value"] == 6.0 and rows[1.0, "step 1"]["seeds"] == 0
    assert rows[1.0, "first third"]["value"] == pytest.approx(0.01)
    curve = Curve(np.arange(0.0, 41.0, 4.0), *(rng.random(11) for _ in range(3)), np.full(11, 100))
    found = {(r["measured_on"], r["series"], r["seed"]): r for r in correlation_rows([(*run, curve) for run in runs])}
    assert found["same responses", "first differences", 0]["value"] == pytest.approx(1.0)
    assert found["same responses", "levels", None]["n"] == 80
    assert abs(found["fixed prompts", "levels", 1]["value"]) < 0.95
