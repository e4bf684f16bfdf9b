"""Quantities of the judges' audits."""

from collections.abc import Callable
from math import isfinite, nan

import numpy as np

from workflow_scripts.analysis.grades import ALL
from workflow_scripts.analysis.intervals import Estimate, mean_by_seed, over_seeds
from workflow_scripts.analysis.results import Audit, Results


def audit(results: Results, options: dict) -> Estimate:
    """A figure of the audit: `judge`, `versus`, `metric`, `subject`; with `less`, the difference to that judge."""

    def figure(found: Audit, judge: str) -> float:
        wanted = (judge, options["versus"], options.get("subject", ALL), options["metric"])
        return _first(r["value"] for r in found.figures if _of(r, "judge", "versus", "subject", "metric") == wanted)

    def value(found: Audit) -> float:
        return figure(found, options["judge"]) - (figure(found, options["less"]) if "less" in options else 0.0)

    return _over_audits(results, value)


def votes_difference(results: Results, options: dict) -> Estimate:
    """Kappa of the majority of `votes` of the teacher's verdicts with `versus`, less that of `less` of them."""

    def kappa(found: Audit, votes: int) -> float:
        wanted = (votes, options["versus"], ALL)
        return _first(r["kappa"] for r in found.votes if _of(r, "votes", "versus", "subject") == wanted)

    return _over_audits(results, lambda found: kappa(found, options["votes"]) - kappa(found, options["less"]))


def probe_difference(results: Results, options: dict) -> Estimate:
    """Share of the content-free answers that `judge` accepts, mean over the probes, less that of the judge `less`."""

    def accepted(found: Audit, judge: str) -> float:
        rates = [r["false_positive_rate"] for r in found.probes if _of(r, "judge", "subject") == (judge, ALL)]
        return float(np.mean(rates)) if rates else nan

    return _over_audits(results, lambda found: accepted(found, options["judge"]) - accepted(found, options["less"]))


def _over_audits(results: Results, value: Callable[[Audit], float]) -> Estimate:
    """Mean over the judges of each seed, then over seeds."""
    figures = [(seed, value(found)) for (_, seed), found in sorted(results.audits.items())]
    return over_seeds(mean_by_seed(pair for pair in figures if isfinite(pair[1])))


def _of(row: dict, *names: str) -> tuple:
    return tuple(row[name] for name in names)


def _first(values) -> float:
    return next(iter(values), nan)
