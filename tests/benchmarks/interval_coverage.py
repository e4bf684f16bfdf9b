"""Coverage of the 95 % intervals on synthetic data: `python tests/benchmarks/interval_coverage.py [REPETITIONS]`.

accuracy, difference: graded answers of S seeds to Q questions, k samples each; the chance of a right answer has effects
(on the logit) of the question, the seed and the two together. shared: all seeds are asked the same questions, else each
has its own. Measured against the mean over all seeds and questions; with one seed against that run's own mean over all
questions, which is all that its interval claims ("one seed: bootstrap over questions").

law: the ceiling -a + b of a known law with autocorrelated residuals (r: of the first-order autoregression, half of it
hidden under white noise where it says mixed), n validations, beside ordinary least squares and Newey-West.
"""

import sys
from math import sqrt
from zlib import crc32

import numpy as np

from workflow_scripts.analysis.intervals import Estimate, of_runs
from workflow_scripts.analysis.law import Fit, ceiling, least_squares
from workflow_scripts.analysis.student import t_quantile

QUESTION, SEED, BOTH = 1.5, 0.15, 0.5  # standard deviations on the logit
SEEDS, QUESTIONS, SAMPLES = (1, 2, 3, 5), (30, 100, 480), (1, 16)
MEANS = {"about 0.58": 0.5, "about 0.08": -3.5}  # logit of the middle question
EFFECT = 0.3  # of the other arm of a difference
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(81)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def main(repetitions: int = 1000) -> None:
    print(f"nominal 95 %, {repetitions} repetitions: standard error {100 * sqrt(0.95 * 0.05 / repetitions):.1f} points")
    print(f"{'figure':<11}{'mean':<12}{'questions':<11}{'k':>3}  ", *(f"{f'{s} seed':>14}" for s in SEEDS))
    for figure in ("accuracy", "difference"):
        for name, middle in MEANS.items():
            for questions in QUESTIONS:
                for samples in SAMPLES:
                    for shared in (True, False):
                        cells = [covered(figure, middle, s, questions, samples, shared, repetitions) for s in SEEDS]
                        layout = f"{questions} {'shared' if shared else 'own'}"
                        print(f"{figure:<11}{name:<12}{layout:<11}{samples:>3}  ", *(f"{cell:>14}" for cell in cells))
    print(f"\n{'ceiling of the law':<24}{'ordinary':>10}{'Newey-West':>12}{'ours':>8}{'half width':>12}")
    for points in (12, 20, 80):
        for mixed in (False, True):
            for r in (0.0, 0.5, 0.8):
                print(law_line(points, r, mixed, repetitions))


def covered(
    figure: str, middle: float, seeds: int, questions: int, samples: int, shared: bool, repetitions: int
) -> str:
    """Coverage in percent, and the mean half width in points."""
    rng = np.random.default_rng(crc32(repr((figure, middle, seeds, questions, samples, shared)).encode()))
    hits, widths, without = 0, [], 0
    for _ in range(repetitions):
        runs, truth = draw(rng, figure, middle, seeds, questions, samples, shared)
        estimate = of_runs(runs)
        if not estimate.has_interval:
            without += 1
            continue
        hits += estimate.low <= truth <= estimate.high
        widths.append(100 * (estimate.high - estimate.low) / 2)
    note = f" ({without} none)" if without else ""
    return f"{100 * hits / max(len(widths), 1):.1f} ±{np.mean(widths):.1f}{note}"


def draw(rng, figure: str, middle: float, seeds: int, questions: int, samples: int, shared: bool):
    """Runs (question id -> value), and the true mean that the interval is to hold."""
    arms = (middle, middle + EFFECT) if figure == "difference" else (middle,)
    question = rng.normal(0, QUESTION, (1 if shared else seeds, questions)) * np.ones((seeds, 1))
    values, truths = [], []
    for arm in arms:  # the questions are shared by the arms, what a training run does to them is not
        seed = rng.normal(0, SEED, (seeds, 1))
        chance = sigmoid(arm + question + seed + rng.normal(0, BOTH, (seeds, questions)))
        values.append(rng.binomial(samples, chance) / samples)
        truths.append(mean_over(arm + (seed[0, 0] if seeds == 1 else 0.0), seeds == 1))
    table = values[0] if len(values) == 1 else values[1] - values[0]
    names = [[f"q{n}" if shared else f"s{s}q{n}" for n in range(questions)] for s in range(seeds)]
    runs = [dict(zip(row, map(float, line), strict=True)) for row, line in zip(names, table, strict=True)]
    return runs, truths[0] if len(truths) == 1 else truths[1] - truths[0]


def mean_over(middle: float, one_seed: bool) -> float:
    """Mean chance over questions, and over seeds unless this is one."""
    deviation = sqrt(QUESTION**2 + BOTH**2 + (0 if one_seed else SEED**2))
    return float(WEIGHTS @ sigmoid(middle + deviation * NODES))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# ------------------------------------------------------------------------------------------------ the law
def law_line(points: int, r: float, mixed: bool, repetitions: int) -> str:
    rng = np.random.default_rng([points, round(10 * r), mixed])
    step = np.arange(1, points + 1)
    x = np.exp(0.8 * np.exp(-3 * step / points) + 0.1)
    hits, widths = np.zeros(3), []
    for _ in range(repetitions):
        y = 0.9 - 0.2 * x + residuals(rng, points, r, mixed)
        fitted = least_squares(x, y)
        bounds = [*others(fitted, x, y), ceiling("exp", fitted)]
        hits += [b.low <= 0.7 <= b.high for b in bounds]
        widths.append(100 * (bounds[-1].high - bounds[-1].low) / 2)
    name = f"n {points}, r {r}{', mixed' if mixed else ''}"
    ordinary, newey_west, ours = 100 * hits / repetitions
    return f"{name:<24}{ordinary:>10.1f}{newey_west:>12.1f}{ours:>8.1f}{np.median(widths):>12.1f}"


def residuals(rng, points: int, r: float, mixed: bool) -> np.ndarray:
    noise = rng.normal(size=points)
    for i in range(1, points):
        noise[i] = r * noise[i - 1] + sqrt(1 - r**2) * noise[i]
    return 0.02 * ((noise + rng.normal(size=points)) / sqrt(2) if mixed else noise)


def others(fitted: Fit, x: np.ndarray, y: np.ndarray) -> list[Estimate]:
    """Intervals of the ceiling by ordinary least squares, and by Newey and West's covariance."""
    n, at = len(x), np.array([1.0, 1.0])
    design = np.column_stack([np.ones(n), x])
    inverse, residual = np.linalg.inv(design.T @ design), y - fitted.predict(x)
    scores = design * residual[:, None]
    middle = scores.T @ scores
    for lag in range(1, (lags := int(4 * (n / 100) ** (2 / 9))) + 1):
        product = scores[lag:].T @ scores[:-lag]
        middle += (1 - lag / (lags + 1)) * (product + product.T)
    t, value = t_quantile(0.975, n - 2), fitted.b - fitted.a
    found = []
    for covariance in (residual @ residual / (n - 2) * inverse, inverse @ middle @ inverse * n / (n - 2)):
        half = t * sqrt(at @ covariance @ at)
        found.append(Estimate(value, value - half, value + half, "", 1))
    return found


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
