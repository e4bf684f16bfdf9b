"""The quantities that claims are judged by: each maps a claim's `quantity` and the results to one estimate.

A quantity is a dict from config/claims.yaml: `kind` names the function below, the rest are its options. All of them
select arms by `where` (fields of the arm, or `study`), pair arms by seed and average over what else varies.
"""

from collections.abc import Callable
from math import nan

import numpy as np

from workflow_scripts.analysis.arms import Arm, pairs
from workflow_scripts.analysis.comparison import ratio_over_seeds
from workflow_scripts.analysis.curves import at_equal_accuracy, entropy_ratio, plateau, spent_early
from workflow_scripts.analysis.grades import ALL, difference
from workflow_scripts.analysis.intervals import Estimate, missing, of_runs, over_seeds
from workflow_scripts.analysis.law import ceiling, fit, last_quarter, late_errors
from workflow_scripts.analysis.results import Results


def accuracy_difference(results: Results, options: dict) -> Estimate:
    """Paired difference in benchmark accuracy: `vary`, `value`, `versus`, `benchmark`, `subjects`."""
    benchmark = options.get("benchmark") or next(iter(results.benchmarks()), "")
    by_seed: dict[int, list[dict[str, float]]] = {}
    for a, b in _pairs(results, options):
        if a.role in results.grades and b.role in results.grades:
            one, other = results.grades[a.role], results.grades[b.role]
            subjects = results.subjects(options.get("subjects", ALL), one.subjects(benchmark))
            grader = options.get("grader") or one.main_grader(benchmark)
            first, second = (graded.accuracy(benchmark, grader, subjects) for graded in (one, other))
            by_seed.setdefault(a.seed, []).append(difference(first, second))
    return of_runs([_mean_by_question(runs) for _, runs in sorted(by_seed.items())])


def entropy_at(results: Results, options: dict) -> Estimate:
    """Ratio of validation entropies, `at` equal_accuracy or plateau, of the paired arms."""

    def ratio(a: Arm, b: Arm) -> float:
        one, other = results.curves[a.role], results.curves[b.role]
        if options["at"] == "plateau":
            return entropy_ratio(plateau(one), plateau(other))
        return at_equal_accuracy(one, other).ratio

    return ratio_over_seeds(_per_seed_pair(results, options, lambda a, b: float(np.log(ratio(a, b))), np.exp))


def plateau_accuracy(results: Results, options: dict) -> Estimate:
    """Difference in validation accuracy over the last quarter of the steps of the paired arms."""

    def gap(a: Arm, b: Arm) -> float:
        return plateau(results.curves[a.role]).accuracy - plateau(results.curves[b.role]).accuracy

    return over_seeds(_per_seed_pair(results, options, gap))


def spent(results: Results, options: dict) -> Estimate:
    """Share of the change `of` entropy or accuracy that is done after the first `share` of the steps."""

    def one(arm: Arm) -> float:
        curve = results.curves[arm.role]
        return spent_early(getattr(curve, options["of"]), curve.step, options["share"])

    return over_seeds(_per_seed(results, options, one))


def law_error(results: Results, options: dict) -> Estimate:
    """RMSE of exp(H) on the late points after a fit to the first `early_share` of the steps; with `versus`, less that
    of the best of these alternatives (the one with the least mean error over all arms)."""

    def errors(arm: Arm) -> dict[str, float]:
        points = results.points[arm.role]
        return late_errors(points.entropy, points.accuracy, points.step, options["early_share"])

    own = _per_seed(results, options, lambda arm: errors(arm)["exp"])
    others = [_per_seed(results, options, lambda arm, f=form: errors(arm)[f]) for form in options.get("versus", [])]
    if others and own:
        best = min(others, key=lambda values: float(np.mean(values)))
        own = [mine - theirs for mine, theirs in zip(own, best, strict=True)]
    return over_seeds(own)


def law_ceiling(results: Results, options: dict) -> Estimate:
    """Predicted ceiling -a + b of the fit on all points less the accuracy reached (mean over the last quarter)."""

    def gap(arm: Arm) -> float:
        points = results.points[arm.role]
        if not len(points.step):
            return nan
        predicted = ceiling("exp", fit("exp", points.entropy, points.accuracy, points.step)).value
        return predicted - float(last_quarter(points.accuracy, points.step).mean())

    return over_seeds(_per_seed(results, options, gap))


def audit(results: Results, options: dict) -> Estimate:
    """A figure of the judge's audit: `judge`, `versus`, `metric`; with `less`, the difference to that judge."""

    def figure(rows: list[dict], judge: str) -> float:
        wanted = (judge, options["versus"], options.get("subject", ALL), options["metric"])
        found = [r["value"] for r in rows if (r["judge"], r["versus"], r["subject"], r["metric"]) == wanted]
        return found[0] if found else nan

    by_seed: dict[int, list[float]] = {}
    for (_, seed), rows in sorted(results.audits.items()):
        value = figure(rows, options["judge"])
        value -= figure(rows, options["less"]) if "less" in options else 0.0
        if np.isfinite(value):
            by_seed.setdefault(seed, []).append(value)
    return over_seeds([float(np.mean(values)) for _, values in sorted(by_seed.items())])


KINDS: dict[str, Callable[[Results, dict], Estimate]] = {
    "accuracy_difference": accuracy_difference,
    "entropy_ratio": entropy_at,
    "plateau_accuracy_difference": plateau_accuracy,
    "spent_early": spent,
    "law_error": law_error,
    "law_ceiling_gap": law_ceiling,
    "audit": audit,
}


def measure(results: Results, quantity: dict) -> Estimate:
    """The estimate of a claim's quantity; the estimate without seeds where the run has no data for it."""
    return KINDS[quantity["kind"]](results, quantity) if results.arms or results.audits else missing()


# ------------------------------------------------------------------------------------------------ helpers
def _pairs(results: Results, options: dict) -> list[tuple[Arm, Arm]]:
    return pairs(results.arms, options["vary"], options["value"], options["versus"], options.get("where"))


def _per_seed_pair(
    results: Results, options: dict, value: Callable[[Arm, Arm], float], back: Callable = float
) -> list[float]:
    """One mean per seed of a figure of the paired arms that have curves; `back` undoes a log taken in `value`."""
    found: dict[int, list[float]] = {}
    for a, b in _pairs(results, options):
        if a.role in results.curves and b.role in results.curves:
            found.setdefault(a.seed, []).append(value(a, b))
    return [float(back(np.mean(values))) for _, values in sorted(found.items()) if np.isfinite(values).all()]


def _per_seed(results: Results, options: dict, value: Callable[[Arm], float]) -> list[float]:
    found: dict[int, list[float]] = {}
    for arm in results.arms:
        if arm.matches(options.get("where", {})) and arm.role in results.curves:
            found.setdefault(arm.seed, []).append(value(arm))
    return [float(np.mean(values)) for _, values in sorted(found.items()) if np.isfinite(values).all()]


def _mean_by_question(runs: list[dict[str, float]]) -> dict[str, float]:
    """Mean over the pairs of one seed, on the questions that all of them have."""
    shared = set.intersection(*(set(run) for run in runs))
    return {q: float(np.mean([run[q] for run in runs])) for q in sorted(shared)}
