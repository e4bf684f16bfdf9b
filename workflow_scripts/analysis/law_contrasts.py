"""Coefficients of the law against what a study varies: model size (Fig. 7), data (Fig. 13), algorithm (Fig. 6).

Only settings of one study that are equal in all else are put side by side, so that a table shows one cause. Against
size, a and b are fitted log-linearly in the parameters without embeddings, as in 2505.22617.
"""

from dataclasses import dataclass
from math import isfinite, log, nan

from workflow_scripts.analysis.arms import FIELDS, Arm
from workflow_scripts.analysis.intervals import Estimate, over_seeds
from workflow_scripts.analysis.law import MIN_POINTS, ceiling, coefficient_bounds, least_squares, line
from workflow_scripts.analysis.results import LawPoints

VARIED = ("policy", "data", "algorithm")
COEFFICIENTS = ("a", "b", "ceiling")

Row = dict[str, object]


@dataclass(frozen=True)
class LawRun:
    """One arm's points, and the parameters of its model without embeddings (None: not known)."""

    arm: Arm
    points: LawPoints
    parameters: int | None = None

    def coefficients(self) -> dict[str, float]:
        """a, b and -a + b of the fit on exp(H)."""
        fitted = self.points.fit()
        bounds = coefficient_bounds(fitted)
        return {"a": bounds["a"].value, "b": bounds["b"].value, "ceiling": ceiling("exp", fitted).value}


def contrast_rows(runs: list[LawRun], entropy_of: str) -> list[Row]:
    """LAW_CONTRASTS rows: each level of a varied field, and its difference from the first level, paired by seed."""
    rows = []
    for study, field, held, levels in _groups(runs):
        first = next(iter(levels.values()))
        for level, members in levels.items():
            for name in COEFFICIENTS:
                value = over_seeds([c[name] for c in members.values() if isfinite(c[name])])
                shared = [seed for seed in members if seed in first and isfinite(members[seed][name])]
                apart = over_seeds([members[s][name] - first[s][name] for s in shared if isfinite(first[s][name])])
                names = {"study": study, "field": field, "held": held, "level": level, "entropy_of": entropy_of}
                size = _size(runs, field, level)
                rows.append({**names, "parameters": size, "quantity": name, **value.figures, **_apart(apart)})
    return rows


def size_rows(runs: list[LawRun], entropy_of: str) -> list[Row]:
    """LAW_SIZES rows: quantity = intercept + slope ln(parameters), per study that varies the model's size.

    With the sizes of several seeds: t over the slopes of the seeds; with one seed: the interval of the regression.
    """
    rows = []
    for study, field, held, levels in _groups(runs):
        sizes = {level: _size(runs, field, level) for level in levels}
        if field != "policy" or None in sizes.values() or len(set(sizes.values())) < 2:
            continue
        for name in COEFFICIENTS:
            slope, count = _slope(levels, sizes, name)
            names = {"study": study, "held": held, "entropy_of": entropy_of, "quantity": name}
            rows.append({**names, **slope.figures, "sizes": count})
    return rows


def _slope(levels: dict[str, dict], sizes: dict[str, int], name: str) -> tuple[Estimate, int]:
    """Slope per ln(parameters), and the number of sizes behind it."""
    seeds = sorted(set.intersection(*(set(members) for members in levels.values())))
    chosen = list(dict.fromkeys(sizes.values()))
    x = [log(sizes[level]) for level in levels]
    slopes, last = [], None
    for seed in seeds:
        y = [levels[level][seed][name] for level in levels]
        if all(map(isfinite, y)):
            slopes.append(line(x, y)[0])
            last = y
    if len(slopes) != 1 or len(x) < MIN_POINTS:
        return over_seeds(slopes), len(chosen)
    bound = coefficient_bounds(least_squares(x, last))["a"]
    return Estimate(-bound.value, -bound.high, -bound.low, "one seed: regression over sizes", 1), len(chosen)


def _groups(runs: list[LawRun]):
    """(study, varied field, settings held, level -> seed -> coefficients) for each comparison that a study allows."""
    found: dict[tuple[str, str, tuple], dict[str, dict[int, dict[str, float]]]] = {}
    for run in runs:
        figures = run.coefficients() if len(run.points.step) else dict.fromkeys(COEFFICIENTS, nan)
        for study in run.arm.studies:
            for field in VARIED:
                held = tuple(getattr(run.arm, name) for name in FIELDS if name != field)
                levels = found.setdefault((study, field, held), {})
                levels.setdefault(getattr(run.arm, field), {})[run.arm.seed] = figures
    for (study, field, held), levels in found.items():
        if len(levels) > 1:
            yield study, field, " · ".join(held), levels


def _size(runs: list[LawRun], field: str, level: str) -> int | None:
    if field != "policy":
        return None
    return next((run.parameters for run in runs if run.arm.policy == level and run.parameters), None)


def _apart(estimate: Estimate) -> Row:
    return {"difference": estimate.value, "difference_low": estimate.low, "difference_high": estimate.high}
