"""Quantities of graded benchmark answers."""

import numpy as np

from workflow_scripts.analysis.grades import ALL, difference
from workflow_scripts.analysis.intervals import Estimate, of_runs
from workflow_scripts.analysis.quantities.selection import paired
from workflow_scripts.analysis.results import Results


def accuracy_difference(results: Results, options: dict) -> Estimate:
    """Paired difference in benchmark accuracy: `vary`, `value`, `versus`, `benchmark`, `subjects`."""
    benchmark = options.get("benchmark") or next(iter(results.benchmarks()), "")
    by_seed: dict[int, list[dict[str, float]]] = {}
    for a, b in paired(results, options):
        if a.role in results.grades and b.role in results.grades:
            one, other = results.grades[a.role], results.grades[b.role]
            subjects = results.subjects(options.get("subjects", ALL), one.subjects(benchmark))
            grader = options.get("grader") or one.main_grader(benchmark)
            first, second = (graded.accuracy(benchmark, grader, subjects) for graded in (one, other))
            by_seed.setdefault(a.seed, []).append(difference(first, second))
    return of_runs([_mean_by_question(runs) for _, runs in sorted(by_seed.items())])


def _mean_by_question(runs: list[dict[str, float]]) -> dict[str, float]:
    """Mean over the pairs of one seed, on the questions that all of them have."""
    shared = set.intersection(*(set(run) for run in runs))
    return {q: float(np.mean([run[q] for run in runs])) for q in sorted(shared)}
