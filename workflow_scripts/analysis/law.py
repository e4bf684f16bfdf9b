"""The entropy law R = -a exp(H) + b (2505.22617, Eq. 6) beside the alternatives that a trend alone would fit.

All forms are linear in their coefficients, R = -a x + b with x = exp(H), H, log H or log step, so ordinary least
squares is exact. Two curves with a trend always correlate, so R^2 proves nothing: the forms are compared by the
error of a fit of the early points on the late ones, beside two naive predictors.
"""

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np

from workflow_scripts.analysis.intervals import LEVEL
from workflow_scripts.analysis.student import t_quantile

FORMS = ("exp", "linear", "log", "log_step")
NAIVE = ("last_value", "mean")
MIN_POINTS = 3  # two coefficients need a third point to have an error
_SMALLEST_ENTROPY = 1e-6  # log H of a fully collapsed policy


@dataclass(frozen=True)
class Fit:
    """R = -a x + b: coefficients, standard errors, share of variance explained, residual error, points."""

    a: float
    b: float
    se_a: float
    se_b: float
    se_ceiling: float
    r2: float
    rmse: float
    n: int

    def predict(self, x: np.ndarray) -> np.ndarray:
        return -self.a * x + self.b


@dataclass(frozen=True)
class Bound:
    """A figure with its interval from the regression."""

    value: float
    low: float
    high: float


def regressor(form: str, entropy: np.ndarray, step: np.ndarray) -> np.ndarray:
    """x of R = -a x + b, from entropies in nats and step numbers, both (N,). Raises ValueError on an unknown form."""
    if form == "exp":
        return np.exp(entropy)
    if form == "linear":
        return np.asarray(entropy, dtype=np.float64)
    if form == "log":
        return np.log(np.maximum(entropy, _SMALLEST_ENTROPY))
    if form == "log_step":
        return np.log(np.maximum(step, 1))
    raise ValueError(f"form of the law {form!r} is not one of {', '.join(FORMS)}")


def least_squares(x: np.ndarray, y: np.ndarray, at: float = 1.0) -> Fit:
    """Ordinary least squares of y = -a x + b; `se_ceiling` is the standard error of the line at x = `at`.

    Fewer than three points, or an x that does not vary, give NaN coefficients.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n = len(x)
    spread = float(((x - x.mean()) ** 2).sum()) if n else 0.0
    if n < MIN_POINTS or spread <= 1e-18:
        return Fit(nan, nan, nan, nan, nan, nan, nan, n)
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
    intercept = float(y.mean()) - slope * float(x.mean())
    residual = y - slope * x - intercept
    squared, total = float((residual**2).sum()), float(((y - y.mean()) ** 2).sum())
    variance = squared / (n - 2)
    se = [sqrt(variance * (1 / n + (point - float(x.mean())) ** 2 / spread)) for point in (0.0, at)]
    r2 = 1 - squared / total if total > 0 else nan
    return Fit(-slope, intercept, sqrt(variance / spread), se[0], se[1], r2, sqrt(squared / n), n)


def fit(form: str, entropy: np.ndarray, accuracy: np.ndarray, step: np.ndarray) -> Fit:
    """Fit one form of the law to (N,) points: entropy in nats, accuracy as a share, step from 1."""
    return least_squares(regressor(form, entropy, step), accuracy, at=1.0 if form == "exp" else 0.0)


def ceiling(form: str, fitted: Fit, level: float = LEVEL) -> Bound:
    """Accuracy predicted at H = 0 with its t interval: -a + b (exp), b (linear); log and log_step have none.

    The interval takes the residuals as independent. Neighbouring points of a run are not quite, so it is a lower
    bound of the uncertainty; over several seeds the spread of the ceilings says more.
    """
    if form not in ("exp", "linear"):
        return Bound(nan, nan, nan)
    value = fitted.b - fitted.a if form == "exp" else fitted.b
    half = fitted.se_ceiling * t_quantile((1 + level) / 2, fitted.n - 2) if fitted.n >= MIN_POINTS else nan
    return Bound(value, value - half, value + half)


def coefficient_bounds(fitted: Fit, level: float = LEVEL) -> dict[str, Bound]:
    """t intervals of a and b."""
    t = t_quantile((1 + level) / 2, fitted.n - 2) if fitted.n >= MIN_POINTS else nan
    pairs = {"a": (fitted.a, fitted.se_a), "b": (fitted.b, fitted.se_b)}
    return {name: Bound(value, value - t * se, value + t * se) for name, (value, se) in pairs.items()}


def split_early(step: np.ndarray, early_share: float) -> np.ndarray:
    """Mask (N,) of the points in the first `early_share` of the steps, at least `MIN_POINTS` and leaving one late."""
    if not 0 < early_share < 1:
        raise ValueError(f"early_share: {early_share} is not between 0 and 1")
    early = step <= early_share * (step.max() if len(step) else 0)
    early[:MIN_POINTS] = True
    return early


def late_errors(entropy: np.ndarray, accuracy: np.ndarray, step: np.ndarray, early_share: float) -> dict[str, float]:
    """RMSE on the late points of each form fitted to the early ones (paper: Fig. 5), and of the naive predictors.

    `last_value` predicts the last early accuracy for ever, `mean` the mean of the early ones. NaN without late points.
    """
    early = split_early(step, early_share)
    late = ~early
    if not late.any():
        return dict.fromkeys(FORMS + NAIVE, nan)
    errors = {}
    for form in FORMS:
        fitted = fit(form, entropy[early], accuracy[early], step[early])
        errors[form] = _rmse(fitted.predict(regressor(form, entropy[late], step[late])), accuracy[late])
    errors["last_value"] = _rmse(accuracy[early][-1], accuracy[late])
    errors["mean"] = _rmse(accuracy[early].mean(), accuracy[late])
    return errors


def last_quarter(values: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The values at the last quarter of the steps: what "reached" and "after the plateau" mean in every table."""
    return values[step >= 0.75 * (step.max() if len(step) else inf)]


def _rmse(predicted, actual: np.ndarray) -> float:
    return float(np.sqrt(np.mean((np.asarray(predicted) - actual) ** 2)))
