"""Covariance of log-probability and advantage: its quantiles, and whether it foretells the change of entropy.

Theorem 2 of 2505.22617 has -dH proportional to the covariance. Two series that merely fall together correlate without
it, so the correlation is shown of the levels, of what is left without a rolling mean, and of first differences.
"""

from dataclasses import dataclass
from math import atanh, isfinite, nan, sqrt, tanh

import numpy as np

from workflow_scripts.analysis.arms import Arm, by_setting
from workflow_scripts.analysis.autocorrelation import effective_pairs
from workflow_scripts.analysis.curves import Curve
from workflow_scripts.analysis.intervals import over_seeds
from workflow_scripts.rl.covariance_shares import COVARIANCE_SHARES

WHEN = ("step 1", "first third", "middle third", "last third")
CHANGES = ("levels", "detrended", "first differences")
WINDOW = 25  # steps of the rolling mean that is taken off; fixed before anything was measured
MIN_PAIRS = 8

Row = dict[str, object]
Columns = dict[str, list]


# ------------------------------------------------------------------------------------------- quantiles
def quantile_rows(runs: list[tuple[Arm, Columns]]) -> list[Row]:
    """COVARIANCE rows per setting: mean covariance of the top tokens (Table 1), at step 1 and by third of the run."""
    metrics = {arm.role: columns for arm, columns in runs}
    rows = []
    for setting, arms in by_setting([arm for arm, _ in runs]).items():
        for name, top in COVARIANCE_SHARES.items():
            for when in WHEN:
                values = [_mean(metrics[arm.role], name, when) for arm in arms]
                estimate = over_seeds([value for value in values if isfinite(value)])
                rows.append({"arm": setting, "top": top, "when": when, **estimate.figures})
    return rows


def _mean(columns: Columns, name: str, when: str) -> float:
    steps = np.array(columns["step"], dtype=np.float64)
    values = np.array([nan if v is None else v for v in columns[name]], dtype=np.float64)
    third = WHEN.index(when)
    edges = (0.0, 1.0) if when == "step 1" else ((third - 1) / 3 * steps.max(), third / 3 * steps.max())
    chosen = values[(steps > edges[0]) & (steps <= edges[1]) & np.isfinite(values)]
    return float(chosen.mean()) if len(chosen) else nan


# ------------------------------------------------------------------------- covariance and entropy change
@dataclass(frozen=True)
class Correlation:
    """Spearman's correlation with its interval, the pairs, and how many of them count as independent."""

    value: float
    low: float
    high: float
    n: int
    n_effective: float


def fall_and_covariance(columns: Columns, curve: Curve) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pairs (-dH, covariance) by what dH is taken on.

    same responses: of one step's rollouts before and after its update, where the trainer measured it. fixed prompts:
    between two validations, against the mean covariance of the steps between them.
    """
    steps = np.array(columns["step"])
    covariance = np.array(columns["group_cov"], dtype=np.float64)
    change = np.array([nan if v is None else v for v in columns["entropy_change"]], dtype=np.float64)
    known = np.isfinite(change) & np.isfinite(covariance)
    found = {"same responses": (-change[known], covariance[known])}
    between = [
        covariance[(steps > low) & (steps <= high)].mean()
        for low, high in zip(curve.step[:-1], curve.step[1:], strict=True)
        if ((steps > low) & (steps <= high)).any()
    ]
    if len(between) == len(curve.step) - 1:
        found["fixed prompts"] = (-np.diff(curve.entropy), np.array(between))
    return {name: pair for name, pair in found.items() if len(pair[0]) >= MIN_PAIRS}


def correlation_rows(runs: list[tuple[Arm, Columns, Curve]]) -> list[Row]:
    """ENTROPY_CHANGE rows: per arm and seed, and over the seeds of a setting (seed null)."""
    found: dict[tuple[str, str, str], list[tuple[int, Correlation]]] = {}
    for arm, columns, curve in runs:
        for measured_on, (fall, covariance) in fall_and_covariance(columns, curve).items():
            for change in CHANGES:
                pair = (changed(fall, change), changed(covariance, change))
                found.setdefault((arm.setting, measured_on, change), []).append((arm.seed, correlate(*pair)))
    rows = []
    for (setting, measured_on, change), by_seed in found.items():
        names = {"arm": setting, "measured_on": measured_on, "series": change}
        rows += [{**names, "seed": seed, **vars(one)} for seed, one in by_seed]
        if len(by_seed) > 1:
            rows.append({**names, "seed": None, **vars(pooled([one for _, one in by_seed]))})
    return rows


def changed(values: np.ndarray, series: str) -> np.ndarray:
    """The levels, the levels less their centred rolling mean, or first differences."""
    if series == "first differences":
        return np.diff(values)
    if series == "levels":
        return values
    ones = np.ones(min(WINDOW, len(values)))
    inside = np.convolve(np.ones(len(values)), ones, mode="same")
    return values - np.convolve(values, ones, mode="same") / inside


def correlate(x: np.ndarray, y: np.ndarray, deviations: float = 1.96) -> Correlation:
    """Spearman's correlation of two series (N,) with Fisher's interval at the number of independent pairs.

    Fieller's factor 1.06 is for ranks; the independent pairs are Bartlett's. NaN where a series does not vary.
    """
    x, y = ranks(x), ranks(y)
    if min(x.std(), y.std()) == 0:
        return Correlation(nan, nan, nan, len(x), 0.0)
    value = float(np.corrcoef(x, y)[0, 1])
    independent = effective_pairs(x, y)
    half = deviations * sqrt(1.06 / (independent - 3)) if independent > 3 else np.inf
    middle = atanh(np.clip(value, -0.999999, 0.999999))
    return Correlation(value, tanh(middle - half), tanh(middle + half), len(x), independent)


def pooled(found: list[Correlation]) -> Correlation:
    """Mean over seeds with the t interval of Fisher's z; of one seed, its own interval."""
    z = over_seeds([atanh(np.clip(one.value, -0.999999, 0.999999)) for one in found if isfinite(one.value)])
    n = sum(one.n for one in found)
    return Correlation(tanh(z.value), tanh(z.low), tanh(z.high), n, sum(one.n_effective for one in found))


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, ties at their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts) + (last - 1))[inverse] / 2
