"""Arms that a quantity speaks of, and one figure per seed of them."""

from collections.abc import Callable
from math import isfinite

from workflow_scripts.analysis.arms import Arm, pairs
from workflow_scripts.analysis.intervals import mean_by_seed
from workflow_scripts.analysis.results import Results


def paired(results: Results, options: dict) -> list[tuple[Arm, Arm]]:
    """Pairs of arms of `where` that differ in `vary` alone: `value` in one, `versus` in the other."""
    return pairs(results.arms, options["vary"], options["value"], options["versus"], options.get("where"))


def per_seed(results: Results, options: dict, value: Callable[[Arm], float]) -> list[float]:
    """Per seed the mean of a figure over the trained arms of `where`; seeds with a figure that is not finite go."""
    arms = [arm for arm in results.arms if arm.matches(options.get("where", {})) and arm.role in results.curves]
    return _means([(arm.seed, value(arm)) for arm in arms])


def per_seed_pair(results: Results, options: dict, value: Callable[[Arm, Arm], float]) -> list[float]:
    """The same of a figure of two paired arms."""
    found = [(a, b) for a, b in paired(results, options) if a.role in results.curves and b.role in results.curves]
    return _means([(a.seed, value(a, b)) for a, b in found])


def _means(figures: list[tuple[int, float]]) -> list[float]:
    return [mean for mean in mean_by_seed(figures) if isfinite(mean)]
