"""Confidence intervals over seeds and questions, each naming the method that made it.

A training run has two sources of chance: the seed of the run and the draw of the questions. With one seed only the
second can be seen, and the interval says so; with more, seeds and questions are crossed random effects.
"""

from dataclasses import dataclass, replace
from math import isfinite, nan, sqrt

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
    """A value with its interval [low, high] (NaN where there is none), the method, and the counts behind it."""

    value: float
    low: float
    high: float
    method: str
    seeds: int
    questions: int = 0

    @property
    def has_interval(self) -> bool:
        return isfinite(self.low) and isfinite(self.high)


def missing() -> Estimate:
    """The estimate of a quantity without data."""
    return Estimate(nan, nan, nan, NONE, 0)


def over_seeds(values, level: float = LEVEL) -> Estimate:
    """Mean of one value per seed with Student's t interval; a single seed has no interval. values: (S,) floats."""
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        return missing()
    if len(values) == 1:
        return Estimate(float(values[0]), nan, nan, ONE_SEED, 1)
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    half = t_quantile((1 + level) / 2, len(values) - 1) * deviation / sqrt(len(values))
    return Estimate(mean, mean - half, mean + half, SEEDS, len(values))


def over_questions(values, *, seed: int = 0, level: float = LEVEL, resamples: int = RESAMPLES) -> Estimate:
    """Mean over the questions of one run with a percentile bootstrap interval. values: (Q,) floats.

    Values that are all equal (nothing right, say) have no interval: resampling them would feign certainty.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) == 0:
        return missing()
    if values.min() == values.max():
        return Estimate(float(values[0]), nan, nan, QUESTIONS, 1, len(values))
    generator = np.random.default_rng(seed)
    picks = generator.integers(0, len(values), size=(resamples, len(values)))
    low, high = np.quantile(values[picks].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(values.mean()), float(low), float(high), QUESTIONS, 1, len(values))


def over_seeds_and_questions(matrix, level: float = LEVEL) -> Estimate:
    """Mean of a seeds x questions matrix with both as crossed random effects (two-way analysis of variance).

    The variance of the mean is (MS_seeds + MS_questions - MS_residual) / (S Q), never below the larger of its first
    two parts; its degrees of freedom are Satterthwaite's, never below S - 1. matrix: (S, Q) floats, S >= 2, Q >= 2.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    s, q = matrix.shape
    mean = float(matrix.mean())
    by_seed, by_question = matrix.mean(axis=1), matrix.mean(axis=0)
    ms_seed = q * float(by_seed.var(ddof=1))
    ms_question = s * float(by_question.var(ddof=1))
    residual = matrix - by_seed[:, None] - by_question[None, :] + mean
    ms_residual = float((residual**2).sum()) / ((s - 1) * (q - 1))
    total = max(ms_seed + ms_question - ms_residual, ms_seed, ms_question)
    if total == 0.0:
        return Estimate(mean, mean, mean, CROSSED, s, q)
    spread = ms_seed**2 / (s - 1) + ms_question**2 / (q - 1) + ms_residual**2 / ((s - 1) * (q - 1))
    df = max(total**2 / spread, s - 1)
    half = t_quantile((1 + level) / 2, df) * sqrt(total / (s * q))
    return Estimate(mean, mean - half, mean + half, CROSSED, s, q)


def of_runs(runs: list[dict[str, float]]) -> Estimate:
    """Mean over runs of the mean over questions, by the method that the data allow.

    runs: one dict per seed, question id -> value (for a paired difference: the difference on that question).
    One seed: bootstrap over questions. Seeds that share their questions: crossed effects. Seeds with questions of
    their own: t over the seed means, which then hold both sources of chance.
    """
    runs = [run for run in runs if run]
    if not runs:
        return missing()
    questions = sorted(runs[0])
    if len(runs) == 1:
        return over_questions([runs[0][q] for q in questions])
    shared = all(run.keys() == runs[0].keys() for run in runs)
    if shared and len(questions) > 1:
        return over_seeds_and_questions([[run[q] for q in questions] for run in runs])
    estimate = over_seeds([float(np.mean([run[q] for q in sorted(run)])) for run in runs])
    return replace(estimate, questions=len(set().union(*runs)))
