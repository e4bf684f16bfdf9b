"""What the first part of a run predicts of its end, by the law and by simpler means, and whether it came true.

As in 2505.22617, Fig. 5, the accuracy is predicted from the entropy of the later step: the prediction says where the
arm ends if it ends at that entropy. The interval is one of prediction: it holds the error of the line, and the noise
of one validation, which no predictor can foresee.
"""

from dataclasses import dataclass
from math import isfinite, nan, sqrt

import numpy as np

from workflow_scripts.analysis.intervals import LEVEL
from workflow_scripts.analysis.law import FORMS, NAIVE, Bound, regressor, split_early
from workflow_scripts.analysis.results import LawPoints
from workflow_scripts.analysis.student import t_quantile

_NORMAL = 1e6  # degrees of freedom: Student's t is normal


@dataclass(frozen=True)
class Prediction:
    """Accuracy at the last step: predicted with its interval and reached; errors over all late steps and the last."""

    predictor: str
    predicted: Bound
    actual: float
    rmse_late: float
    error_final: float
    noise: float

    @property
    def inside(self) -> bool | None:
        """Whether the accuracy reached lies in the interval; None where there is none."""
        if not (isfinite(self.predicted.low) and isfinite(self.actual)):
            return None
        return self.predicted.low <= self.actual <= self.predicted.high


def predict_end(points: LawPoints, early_share: float, level: float = LEVEL) -> list[Prediction]:
    """One prediction per form of the law and per naive predictor; none without late points."""
    if not len(points.step) or split_early(points.step, early_share).all():
        return []
    early = split_early(points.step, early_share)
    errors = points.late_errors(early_share)
    noise, actual = float(np.sqrt(np.mean(points.noise[~early] ** 2))), float(points.accuracy[-1])
    found = []
    for predictor in FORMS + NAIVE:
        make = _by_form if predictor in FORMS else _naive
        bound = _as_accuracy(make(predictor, points, early, level))
        found.append(Prediction(predictor, bound, actual, errors[predictor], abs(bound.value - actual), noise))
    return found


def _as_accuracy(bound: Bound) -> Bound:
    """An accuracy lies between 0 and 1, whatever the line says."""
    return Bound(bound.value, *(float(np.clip(end, 0.0, 1.0)) for end in (bound.low, bound.high)))


def _by_form(form: str, points: LawPoints, early: np.ndarray, level: float) -> Bound:
    fitted = points.fit(form, early)
    x = float(regressor(form, points.entropy[-1:], points.step[-1:])[0])
    value = -fitted.a * x + fitted.b
    if not isfinite(value):
        return Bound(nan, nan, nan)
    # Few early points can lie on a line by chance: the scatter is never taken below the binomial noise.
    scatter = max(fitted.residual_variance, _floor(points, early))
    widened = fitted.se_at(x) ** 2 * (scatter / fitted.residual_variance if fitted.residual_variance > 0 else 1.0)
    half = t_quantile((1 + level) / 2, fitted.df) * sqrt(widened + scatter)
    return Bound(value, value - half, value + half)


def _naive(name: str, points: LawPoints, early: np.ndarray, level: float) -> Bound:
    """The last early accuracy, or the mean of the early ones, with the noise of both sides and nothing else."""
    seen = points.accuracy[early][-1:] if name == "last_value" else points.accuracy[early]
    value = float(seen.mean())
    half = t_quantile((1 + level) / 2, _NORMAL) * sqrt(_floor(points, early) * (1 + 1 / len(seen)))
    return Bound(value, value - half, value + half) if half > 0 else Bound(value, nan, nan)


def _floor(points: LawPoints, early: np.ndarray) -> float:
    """Binomial variance of one early validation; 0 where the responses were not counted."""
    variance = float(np.mean(points.noise[early] ** 2))
    return variance if isfinite(variance) else 0.0
