"""Averages over benchmarks, the two of 2505.22617, Table 2: plain, and weighted by rows (questions x samples).

The paper's "Avg." is the mean over all validation rows, in which AIME and AMC count 32 times: its order of the methods
is not that of the plain mean. Benchmarks are fixed, seeds and questions are drawn: intervals are stratified.
"""

from math import fsum

from workflow_scripts.analysis.grades import GRADERS, Graded, difference
from workflow_scripts.analysis.intervals import Estimate, of_runs

PLAIN, WEIGHTED = "average", "row-weighted average"
AVERAGES = (PLAIN, WEIGHTED)

Values = dict[str, float]  # question id -> value


def average_of(graded: list[Graded], grader: str, average: str) -> Estimate:
    """Mean over benchmarks of the accuracy under one grader; one Graded per seed, all with the same benchmarks."""
    benchmarks = graded[0].benchmarks()
    runs = [{name: one.accuracy(name, grader) for name in benchmarks} for one in graded]
    return of_runs(stratified(runs, weights_of(graded[0], grader, average)))


def average_difference(pairs: list[tuple[Graded, Graded]], grader: str, average: str) -> Estimate:
    """The same of paired differences, question by question."""
    benchmarks = pairs[0][0].benchmarks()
    runs = [
        {name: difference(a.accuracy(name, grader), b.accuracy(name, grader)) for name in benchmarks} for a, b in pairs
    ]
    return of_runs(stratified(runs, weights_of(pairs[0][0], grader, average)))


def weights_of(graded: Graded, grader: str, average: str) -> dict[str, float]:
    """Weight of each benchmark, in sum 1."""
    benchmarks = graded.benchmarks()
    sizes = dict.fromkeys(benchmarks, 1.0)
    if average == WEIGHTED:
        sizes = {name: float(sum(map(len, graded.samples(name, grader).values()))) for name in benchmarks}
    whole = fsum(sizes.values())
    return {name: size / whole for name, size in sizes.items()}


def common_graders(graded: list[Graded]) -> list[str]:
    """Graders that graded every one of at least two benchmarks, the same ones in all runs; else none."""
    benchmarks = graded[0].benchmarks() if graded else []
    if len(benchmarks) < 2 or any(one.benchmarks() != benchmarks for one in graded):
        return []
    return [name for name in GRADERS if all(name in one.graders(b) for one in graded for b in benchmarks)]


def stratified(runs: list[dict[str, Values]], weights: dict[str, float]) -> list[Values]:
    """Runs over all questions whose plain mean is the weighted mean over benchmarks.

    A question of benchmark b, with Q_b of all N questions, becomes A + N w_b / Q_b (x - m_b), where m_b is the mean of
    b over all runs and A the weighted mean of the m_b: questions vary about their own benchmark's mean only.
    """
    means = {b: _mean([v for run in runs for v in run[b].values()]) for b in weights}
    middle = fsum(weights[b] * means[b] for b in weights)
    found = []
    for run in runs:
        whole = sum(len(run[b]) for b in weights)
        found.append(
            {
                f"{b}/{question}": middle + whole * weights[b] / len(run[b]) * (value - means[b])
                for b in weights
                for question, value in run[b].items()
            }
        )
    return found


def _mean(values: list[float]) -> float:
    return fsum(values) / len(values) if values else 0.0
