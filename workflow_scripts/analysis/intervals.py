"""Confidence intervals over seeds and questions, each naming the method that made it.

A training run has two sources of chance: the seed of the run and the draw of the questions. With one seed only the
second can be seen, and the interval says so; with more, seeds and questions are crossed random effects. How often they
hold the truth is measured by tests/benchmarks/interval_coverage.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import erf, isfinite, nan, sqrt

import numpy as np

from workflow_scripts.analysis.student import t_quantile

LEVEL = 0.95
RESAMPLES = 2000

NONE = "no interval"
ONE_SEED = "one seed: no interval"
QUESTIONS = "one seed: bootstrap over questions"
SEEDS = "t over seeds"
CROSSED = "t over seeds and questions"


@dataclass(frozen=True)
class Estimate:
    """A value with its interval [low, high] (NaN where there is none), the method, the counts and seeds behind it."""

    value: float
    low: float
    high: float
    method: str
    seeds: int
    questions: int = 0
    by_seed: tuple[float, ...] = field(default=(), compare=False)

    @property
    def has_interval(self) -> bool:
        return isfinite(self.low) and isfinite(self.high)

    @property
    def figures(self) -> dict[str, float | str | int]:
        """The columns that every table of estimates has."""
        return {name: getattr(self, name) for name in ("value", "low", "high", "method", "seeds")}


def missing() -> Estimate:
    """The estimate of a quantity without data."""
    return Estimate(nan, nan, nan, NONE, 0)


def over_seeds(values, level: float = LEVEL) -> Estimate:
    """Mean of one value per seed with Student's t interval; a single seed has no interval. values: (S,) floats."""
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        return missing()
    if len(values) == 1:
        return Estimate(float(values[0]), nan, nan, ONE_SEED, 1, by_seed=tuple(values.tolist()))
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    half = t_quantile((1 + level) / 2, len(values) - 1) * deviation / sqrt(len(values))
    return Estimate(mean, mean - half, mean + half, SEEDS, len(values), by_seed=tuple(values.tolist()))


def mean_by_seed(figures: Iterable[tuple[int, float]]) -> list[float]:
    """Mean of the figures of each seed, in the order of the seeds. figures: (seed, value) pairs."""
    by_seed: dict[int, list[float]] = {}
    for seed, value in figures:
        by_seed.setdefault(seed, []).append(value)
    return [float(np.mean(values)) for _, values in sorted(by_seed.items())]


def over_questions(values, *, seed: int = 0, level: float = LEVEL, resamples: int = RESAMPLES) -> Estimate:
    """Mean over the questions of one run with a bootstrap interval. values: (Q,) floats.

    Percentiles are taken further out than the level says, by as much as Student's t and the unbiased deviation exceed
    the normal (the expanded percentile interval of Hesterberg, 1411.5279). Values that are all equal (nothing right,
    say) have no interval: resampling them would feign certainty.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        return missing()
    if values.min() == values.max():
        return Estimate(float(values[0]), nan, nan, QUESTIONS, 1, len(values))
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(values), size=(resamples, len(values)))
    n = len(values)
    tail = _normal_cdf(-sqrt(n / (n - 1)) * t_quantile((1 + level) / 2, n - 1))
    low, high = np.quantile(values[picks].mean(axis=1), [tail, 1 - tail])
    return Estimate(float(values.mean()), float(low), float(high), QUESTIONS, 1, len(values))


def _normal_cdf(x: float) -> float:
    return (1 + erf(x / sqrt(2))) / 2


def over_seeds_and_questions(matrix, level: float = LEVEL) -> Estimate:
    """Mean of a seeds x questions matrix with both as crossed random effects (two-way analysis of variance).

    The variance of the mean is MS_seeds / (S Q), which holds the residual, plus (MS_questions - MS_residual) / (S Q).
    Each part has its own t, and their half widths add in squares: with two seeds t is 12.7 for the first and 2 for the
    second. Never narrower than the draw of questions alone. matrix: (S, Q) floats, S >= 2, Q >= 2.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    s, q = matrix.shape
    mean = float(matrix.mean())
    by_seed, by_question = matrix.mean(axis=1), matrix.mean(axis=0)
    ms_seed = q * float(by_seed.var(ddof=1))
    ms_question = s * float(by_question.var(ddof=1))
    residual = matrix - by_seed[:, None] - by_question[None, :] + mean
    ms_residual = float((residual**2).sum()) / ((s - 1) * (q - 1))
    t_seed, t_question = (t_quantile((1 + level) / 2, n - 1) for n in (s, q))
    squares = t_seed**2 * ms_seed + t_question**2 * max(ms_question - ms_residual, 0.0)
    half = sqrt(max(squares, t_question**2 * max(ms_question, ms_residual)) / (s * q))
    return Estimate(mean, mean - half, mean + half, CROSSED, s, q)


def over_own_questions(runs: list[np.ndarray], level: float = LEVEL) -> Estimate:
    """Mean of the means of S >= 2 runs with questions of their own: t over them, as they hold both sources of chance.

    Two means can be equal by luck; the interval is never narrower than the draw of the questions alone makes it.
    """
    estimate = over_seeds([float(run.mean()) for run in runs], level)
    squares = [float(run.var(ddof=1)) / len(run) for run in runs if len(run) > 1]
    drawn = t_quantile((1 + level) / 2, max(sum(map(len, runs)) - len(runs), 1)) * sqrt(sum(squares)) / len(runs)
    half = max(estimate.high - estimate.value, drawn)
    return replace(estimate, low=estimate.value - half, high=estimate.value + half)


def of_runs(runs: list[dict[str, float]]) -> Estimate:
    """Mean over runs of the mean over questions, by the method that the data allow.

    runs: one dict per seed, question id -> value (for a paired difference: the difference on that question).
    One seed: bootstrap over questions. Seeds that share their questions: crossed effects. Seeds with questions of
    their own: t over the seed means.
    """
    runs = [run for run in runs if run]
    if not runs:
        return missing()
    questions = sorted(runs[0])
    if len(runs) == 1:
        one = over_questions([runs[0][q] for q in questions])
        return replace(one, by_seed=(one.value,))
    shared = all(run.keys() == runs[0].keys() for run in runs)
    if shared and len(questions) > 1:
        matrix = np.array([[run[q] for q in questions] for run in runs], dtype=np.float64)
        return replace(over_seeds_and_questions(matrix), by_seed=tuple(matrix.mean(axis=1).tolist()))
    estimate = over_own_questions([np.array([run[q] for q in sorted(run)], dtype=np.float64) for run in runs])
    return replace(estimate, questions=len(set().union(*runs)))
