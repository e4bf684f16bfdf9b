"""Quantities of the figures that a training logs at every step: covariances and the change of the entropy."""

from math import nan

import numpy as np

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.comparison import ratio_over_seeds
from workflow_scripts.analysis.intervals import Estimate, over_seeds
from workflow_scripts.analysis.quantities.selection import per_seed
from workflow_scripts.analysis.results import Results


def correlation(results: Results, options: dict) -> Estimate:
    """Correlation over the steps of the columns `of` and `with`, each less its straight line in windows of `within`.

    Two series that fall together correlate by their trend alone; what is left within a window is from step to step.
    """

    def one(arm: Arm) -> float:
        pairs = np.stack([_column(results, arm, options[name]) for name in ("of", "with")])
        step, known = np.arange(pairs.shape[1]), np.isfinite(pairs).all(axis=0)
        windows = [step[known & (step // options["within"] == n)] for n in range(step[-1] // options["within"] + 1)]
        left = [_without_line(window, pairs[:, window]) for window in windows if len(window) > 2]
        return float(np.corrcoef(np.concatenate(left, axis=1))[0, 1]) if left else nan

    return over_seeds(per_seed(results, options, one))


def mean(results: Results, options: dict) -> Estimate:
    """Mean over the steps of the column `of`."""
    return over_seeds(per_seed(results, options, lambda arm: _mean(results, arm, options["of"])))


def ratio(results: Results, options: dict) -> Estimate:
    """Ratio of the means over the steps of the columns `of` and `over`."""

    def one(arm: Arm) -> float:
        upper, lower = _mean(results, arm, options["of"]), _mean(results, arm, options["over"])
        return upper / lower if upper > 0 and lower > 0 else nan

    return ratio_over_seeds(per_seed(results, options, one))


def _without_line(step: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(K, N) values less the least-squares line of each row over (N,) steps."""
    basis = np.stack([np.ones(len(step)), step - step.mean()], axis=1)
    return values - (basis @ np.linalg.lstsq(basis, values.T, rcond=None)[0]).T


def _mean(results: Results, arm: Arm, name: str) -> float:
    values = _column(results, arm, name)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else nan


def _column(results: Results, arm: Arm, name: str) -> np.ndarray:
    """(N,) values by step, NaN where none was measured; `entropy_drop` is the entropy change with its sign turned."""
    columns = results.steps[arm.role]
    return -columns["entropy_change"] if name == "entropy_drop" else columns[name]
