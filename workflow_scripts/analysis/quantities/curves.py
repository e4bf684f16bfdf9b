"""Quantities of the validation curves: the fixed prompts, seen every few steps."""

import numpy as np

from workflow_scripts.analysis import curves
from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.comparison import ratio_over_seeds
from workflow_scripts.analysis.intervals import Estimate, over_seeds
from workflow_scripts.analysis.law import last_quarter
from workflow_scripts.analysis.quantities.selection import per_seed, per_seed_pair
from workflow_scripts.analysis.results import Results

AROUND = 0.05  # share of the steps on both sides over which an accuracy in the midst of a training is averaged


def entropy_ratio(results: Results, options: dict) -> Estimate:
    """Ratio of validation entropies, `at` equal_accuracy or plateau, of the paired arms."""

    def log_ratio(a: Arm, b: Arm) -> float:
        one, other = results.curves[a.role], results.curves[b.role]
        if options["at"] == "plateau":
            return float(np.log(curves.entropy_ratio(curves.plateau(one), curves.plateau(other))))
        return float(np.log(curves.at_equal_accuracy(one, other).ratio))

    return ratio_over_seeds([float(np.exp(value)) for value in per_seed_pair(results, options, log_ratio)])


def length_ratio(results: Results, options: dict) -> Estimate:
    """Ratio of mean response lengths over the last quarter of the steps of the paired arms."""

    def log_ratio(a: Arm, b: Arm) -> float:
        one, other = (curves.plateau(results.curves[arm.role]).length for arm in (a, b))
        return float(np.log(one / other))

    return ratio_over_seeds([float(np.exp(value)) for value in per_seed_pair(results, options, log_ratio)])


def plateau_accuracy_difference(results: Results, options: dict) -> Estimate:
    """Difference in validation accuracy over the last quarter of the steps of the paired arms."""

    def gap(a: Arm, b: Arm) -> float:
        return curves.plateau(results.curves[a.role]).accuracy - curves.plateau(results.curves[b.role]).accuracy

    return over_seeds(per_seed_pair(results, options, gap))


def spent_early(results: Results, options: dict) -> Estimate:
    """Share of the change `of` entropy or accuracy that is done after the first `share` of the steps."""

    def one(arm: Arm) -> float:
        curve = results.curves[arm.role]
        return curves.spent_early(getattr(curve, options["of"]), curve.step, options["share"])

    return over_seeds(per_seed(results, options, one))


def late_gain(results: Results, options: dict) -> Estimate:
    """Validation accuracy in `subjects` over the last quarter of the steps, less that around the share `from` of them.

    A step is a batch of fresh rollouts, so that a share of the steps is a share of the data seen (2503.23829, Table 2).
    """

    def gain(arm: Arm) -> float:
        by_subject = results.accuracies[arm.role]
        step, accuracy = curves.pooled(by_subject, results.subjects(options["subjects"], sorted(by_subject)))
        share = step / step.max()
        near = np.abs(share - options["from"]) <= AROUND
        return float(last_quarter(accuracy, step).mean() - accuracy[near].mean()) if near.any() else np.nan

    return over_seeds(per_seed(results, options, gain))
