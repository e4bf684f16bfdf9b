"""Validation curves, and the entropy of two arms at equal accuracy and after both have plateaued.

An arm that learns slowly has more entropy at a given step for that reason alone. So arms are compared at equal
accuracy: the entropy at the first time each of them reaches a level, over the range of levels that both reach.
"""

from dataclasses import dataclass
from math import exp, nan

import numpy as np
import pyarrow as pa

from workflow_scripts.analysis.law import last_quarter

LEVELS = 101
_MIN_RANGE = 0.02  # of accuracy; below it two curves have nothing in common to compare
_FLOOR = 1e-9  # nats; keeps a ratio of entropies finite


@dataclass(frozen=True)
class Curve:
    """One arm on the fixed validation prompts: (N,) steps, accuracy, entropy (nats), length (tokens), responses."""

    step: np.ndarray
    accuracy: np.ndarray
    entropy: np.ndarray
    length: np.ndarray
    n: np.ndarray


def validation_curve(table: pa.Table, subject: str = "all") -> Curve:
    """The curve of one subject from a VALIDATION table, sorted by step."""
    columns = table.to_pydict()
    rows = sorted(i for i, name in enumerate(columns["subject"]) if name == subject)
    rows.sort(key=lambda i: columns["step"][i])
    values = {name: np.array([columns[name][i] for i in rows], dtype=np.float64) for name in Curve.__annotations__}
    return Curve(**values)


def curves_by_subject(table: pa.Table) -> dict[str, Curve]:
    """Subject -> its curve, without the one of all subjects."""
    return {name: validation_curve(table, name) for name in sorted({*table["subject"].to_pylist()} - {"all"})}


def pooled(by_subject: dict[str, Curve], subjects: set[str] | None) -> tuple[np.ndarray, np.ndarray]:
    """(N,) steps and the accuracy over the responses of these subjects (None: all); empty without any of them."""
    curves = [curve for name, curve in by_subject.items() if subjects is None or name in subjects]
    if not curves:
        return np.empty(0), np.empty(0)
    right, responses = (sum(part) for part in zip(*((c.accuracy * c.n, c.n) for c in curves), strict=True))
    return curves[0].step, right / responses


@dataclass(frozen=True)
class EqualAccuracy:
    """Entropy of an arm over that of its baseline: geometric mean over the common range, and at its top."""

    ratio: float
    ratio_top: float
    low: float
    high: float


def at_equal_accuracy(curve: Curve, baseline: Curve) -> EqualAccuracy:
    """Compare two curves over the accuracies that both reach; NaN ratios where the common range is too short."""
    low = max(_first(curve.accuracy), _first(baseline.accuracy))
    high = min(_highest(curve.accuracy), _highest(baseline.accuracy))
    if not high - low >= _MIN_RANGE:
        return EqualAccuracy(nan, nan, low, high)
    levels = np.linspace(low, high, LEVELS)
    logs = np.log(_entropy_at(curve, levels)) - np.log(_entropy_at(baseline, levels))
    return EqualAccuracy(exp(float(logs.mean())), exp(float(logs[-1])), low, high)


def _entropy_at(curve: Curve, levels: np.ndarray) -> np.ndarray:
    """Entropy when each accuracy was first reached: linear between the points that set a new record."""
    best = np.maximum.accumulate(curve.accuracy)
    record = np.concatenate([[True], best[1:] > best[:-1]])
    return np.maximum(np.interp(levels, best[record], curve.entropy[record]), _FLOOR)


def _first(values: np.ndarray) -> float:
    return float(values[0]) if len(values) else nan


def _highest(values: np.ndarray) -> float:
    return float(values.max()) if len(values) else nan


@dataclass(frozen=True)
class Plateau:
    """Means over the last quarter of the steps; `drift` is the change of accuracy from the quarter before."""

    accuracy: float
    entropy: float
    length: float
    drift: float


def plateau(curve: Curve) -> Plateau:
    """What an arm reached: means over the last quarter of its steps."""
    if not len(curve.step):
        return Plateau(nan, nan, nan, nan)
    accuracy, entropy, length = (
        float(last_quarter(values, curve.step).mean()) for values in (curve.accuracy, curve.entropy, curve.length)
    )
    last = curve.step.max()
    before = curve.accuracy[(curve.step >= 0.5 * last) & (curve.step < 0.75 * last)]
    return Plateau(accuracy, entropy, length, accuracy - float(before.mean()) if len(before) else nan)


def entropy_ratio(curve: Plateau, baseline: Plateau) -> float:
    """Entropy after the plateau over the baseline's."""
    return max(curve.entropy, _FLOOR) / max(baseline.entropy, _FLOOR)


def spent_early(values: np.ndarray, step: np.ndarray, share: float) -> float:
    """Share of a curve's change, start to last quarter, that is done after `share` of the steps (paper: Fig. 2)."""
    if len(values) < 3:
        return nan
    end = float(last_quarter(values, step).mean())
    whole = end - float(values[0])
    done = float(np.interp(share * step.max(), step, values)) - float(values[0])
    return done / whole if abs(whole) > _FLOOR else nan
