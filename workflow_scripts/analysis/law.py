"""The entropy law R = -a exp(H) + b (2505.22617, Eq. 6) beside the alternatives that a trend alone would fit.

All forms are linear in their coefficients, R = -a x + b with x = exp(H), H, log H or log step, so ordinary least
squares is exact. Two curves with a trend always correlate, so R^2 proves nothing: the forms are compared by the
error of a fit of the early points on the late ones, beside two naive predictors.
"""

from dataclasses import dataclass, replace
from math import inf, nan, sqrt

import numpy as np

from workflow_scripts.analysis.autocorrelation import effective_points, first_autocorrelation
from workflow_scripts.analysis.intervals import LEVEL
from workflow_scripts.analysis.student import t_quantile

FORMS = ("exp", "linear", "log", "log_step")
NAIVE = ("last_value", "mean")
MIN_POINTS = 3  # two coefficients need a third point to have an error
_SMALLEST_ENTROPY = 1e-6  # log H of a fully collapsed policy


@dataclass(frozen=True)
class Fit:
    """R = -a x + b: coefficients, standard errors, share of variance explained, residual error, points.

    The standard errors and the degrees of freedom are those of `n_effective` independent points; `autocorrelation` is
    that of neighbouring residuals. `x_mean` and `x_spread` (sum of squares) tell the error elsewhere on the line.
    """

    a: float
    b: float
    se_a: float
    se_b: float
    se_ceiling: float
    r2: float
    rmse: float
    n: int
    autocorrelation: float = nan
    n_effective: float = 0.0
    x_mean: float = nan
    x_spread: float = nan

    @property
    def df(self) -> float:
        """Degrees of freedom of the t intervals, at least 1."""
        return max(self.n_effective - 2, 1.0)

    @property
    def residual_variance(self) -> float:
        """Unbiased at `n_effective` independent points."""
        return self.rmse**2 * self.n_effective / self.df

    def se_at(self, x: float) -> float:
        """Standard error of the line at x."""
        scale = 1 / self.n + (x - self.x_mean) ** 2 / self.x_spread
        return sqrt(self.residual_variance * scale * self.n / self.n_effective)

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


def line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the least-squares line through (N,) points, N >= 2 and x not all equal."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    apart = x - x.mean()
    slope = float((apart * (y - y.mean())).sum()) / float((apart**2).sum())
    return slope, float(y.mean()) - slope * float(x.mean())


def least_squares(x: np.ndarray, y: np.ndarray, at: float = 1.0) -> Fit:
    """Ordinary least squares of y = -a x + b; `se_ceiling` is the standard error of the line at x = `at`.

    The points are in the order of time: neighbours that err alike count as fewer points. Fewer than three points, or
    an x that does not vary, give NaN coefficients.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n = len(x)
    spread = float(((x - x.mean()) ** 2).sum()) if n else 0.0
    if n < MIN_POINTS or spread <= 1e-18:
        return Fit(nan, nan, nan, nan, nan, nan, nan, n)
    slope, intercept = line(x, y)
    residual = y - slope * x - intercept
    squared, total = float((residual**2).sum()), float(((y - y.mean()) ** 2).sum())
    r2, rmse = 1 - squared / total if total > 0 else nan, sqrt(squared / n)
    fitted = Fit(-slope, intercept, nan, nan, nan, r2, rmse, n, first_autocorrelation(residual))
    fitted = replace(fitted, n_effective=effective_points(residual), x_mean=float(x.mean()), x_spread=spread)
    se_a = sqrt(fitted.residual_variance / spread * n / fitted.n_effective)
    return replace(fitted, se_a=se_a, se_b=fitted.se_at(0.0), se_ceiling=fitted.se_at(at))


def fit(form: str, entropy: np.ndarray, accuracy: np.ndarray, step: np.ndarray) -> Fit:
    """Fit one form of the law to (N,) points: entropy in nats, accuracy as a share, step from 1."""
    return least_squares(regressor(form, entropy, step), accuracy, at=1.0 if form == "exp" else 0.0)


def ceiling(form: str, fitted: Fit, level: float = LEVEL) -> Bound:
    """Accuracy predicted at H = 0 with its t interval: -a + b (exp), b (linear); log and log_step have none.

    The interval allows for residuals that resemble their neighbours, and knows of one run only: over several seeds the
    spread of the ceilings says more.
    """
    if form not in ("exp", "linear"):
        return Bound(nan, nan, nan)
    value = fitted.b - fitted.a if form == "exp" else fitted.b
    half = fitted.se_ceiling * t_quantile((1 + level) / 2, fitted.df) if fitted.n >= MIN_POINTS else nan
    return Bound(value, value - half, value + half)


def coefficient_bounds(fitted: Fit, level: float = LEVEL) -> dict[str, Bound]:
    """t intervals of a and b."""
    t = t_quantile((1 + level) / 2, fitted.df) if fitted.n >= MIN_POINTS else nan
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
