"""Quantities of the entropy law R = -a exp(H) + b (2505.22617, Eq. 6)."""

import numpy as np

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.intervals import Estimate, over_seeds
from workflow_scripts.analysis.law import ceiling, fit
from workflow_scripts.analysis.quantities.selection import per_seed, per_seed_pair
from workflow_scripts.analysis.results import Results


def error(results: Results, options: dict) -> Estimate:
    """RMSE of exp(H) on the late points after a fit to the first `early_share` of the steps; with `versus`, less that
    of the best of these alternatives (the one with the least mean error over all arms)."""

    def errors(arm: Arm) -> dict[str, float]:
        return results.points[arm.role].late_errors(options["early_share"])

    own = per_seed(results, options, lambda arm: errors(arm)["exp"])
    others = [per_seed(results, options, lambda arm, f=form: errors(arm)[f]) for form in options.get("versus", [])]
    if others and own:
        best = min(others, key=lambda values: float(np.mean(values)))
        own = [mine - theirs for mine, theirs in zip(own, best, strict=True)]
    return over_seeds(own)


def r2(results: Results, options: dict) -> Estimate:
    """Share of the variance of the accuracy that the law explains, by `entropy` of training or validation."""

    def explained(arm: Arm) -> float:
        points = results.points[arm.role] if options["entropy"] == "training" else results.curves[arm.role]
        return fit("exp", points.entropy, points.accuracy, points.step).r2

    return over_seeds(per_seed(results, options, explained))


def ceiling_gap(results: Results, options: dict) -> Estimate:
    """Predicted ceiling -a + b of the fit on all points less the accuracy reached (mean over the last quarter)."""
    return over_seeds(per_seed(results, options, lambda arm: results.points[arm.role].ceiling_gap().value))


def ceiling_difference(results: Results, options: dict) -> Estimate:
    """Difference in the ceilings -a + b of the paired arms."""
    return over_seeds(per_seed_pair(results, options, lambda a, b: _ceiling(results, a) - _ceiling(results, b)))


def _ceiling(results: Results, arm: Arm) -> float:
    return ceiling("exp", results.points[arm.role].fit()).value
