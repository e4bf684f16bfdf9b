"""Everything that the comparison works on, read once: arms with their curves, steps, law points, grades and audits."""

from dataclasses import dataclass, field
from math import nan

import numpy as np
import pyarrow as pa

from workflow_scripts.analysis.answers import Answered
from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.curves import Curve
from workflow_scripts.analysis.grades import Graded
from workflow_scripts.analysis.law import Bound, Fit, ceiling, fit, last_quarter, late_errors

ENTROPIES = ("training", "validation")


@dataclass(frozen=True)
class LawPoints:
    """(N,) pairs of an entropy H and a validation accuracy R, the rollout steps, and the responses behind each R."""

    entropy: np.ndarray
    accuracy: np.ndarray
    step: np.ndarray
    n: np.ndarray | None = None

    @property
    def noise(self) -> np.ndarray:
        """Binomial standard deviation of each R, sqrt(R (1 - R) / n); NaN where n is not known."""
        if self.n is None:
            return np.full(len(self.step), nan)
        return np.sqrt(self.accuracy * (1 - self.accuracy) / self.n)

    @property
    def reached(self) -> float:
        """Mean accuracy over the last quarter of the steps; NaN without points."""
        return float(last_quarter(self.accuracy, self.step).mean()) if len(self.step) else nan

    def fit(self, form: str = "exp", chosen: np.ndarray | slice = slice(None)) -> Fit:
        """One form of the law on all points, or on the chosen ones."""
        return fit(form, self.entropy[chosen], self.accuracy[chosen], self.step[chosen])

    def late_errors(self, early_share: float) -> dict[str, float]:
        """`law.late_errors` of the points."""
        return late_errors(self.entropy, self.accuracy, self.step, early_share)

    def ceiling_gap(self) -> Bound:
        """Ceiling -a + b of the fit on all points less the accuracy reached."""
        bound = ceiling("exp", self.fit())
        return Bound(*(value - self.reached for value in (bound.value, bound.low, bound.high)))


def law_points(metrics: pa.Table, curve: Curve, entropy_of: str = "training") -> LawPoints:
    """The points of the law: R after step t, and H by one of two readings.

    training: that of the rollouts before update t, as the paper's code pairs them (2505.22617, Eq. 5). The validation
    before training has none, and neither has a step whose groups were all filtered. validation: H of the validated
    responses themselves, the start left out as well; the only reading that an arm without rollouts of its own can have.
    """
    if entropy_of not in ENTROPIES:
        raise ValueError(f"entropy_of: {entropy_of!r} is not one of {', '.join(ENTROPIES)}")
    known = dict(zip(metrics["step"].to_pylist(), metrics["entropy"].to_pylist(), strict=True))
    if entropy_of == "validation":
        kept = [i for i, step in enumerate(curve.step) if step > 0]
        entropy = curve.entropy[kept]
    else:
        kept = [i for i, step in enumerate(curve.step) if known.get(int(step)) is not None]
        entropy = np.array([known[int(curve.step[i])] for i in kept], dtype=np.float64)
    return LawPoints(entropy, curve.accuracy[kept], curve.step[kept], curve.n[kept])


def step_columns(metrics: pa.Table) -> dict[str, np.ndarray]:
    """Numeric column of METRICS -> (N,) values in the order of the steps, NaN where there is none."""
    ordered = metrics.sort_by("step")
    numeric = [f.name for f in metrics.schema if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)]
    return {name: ordered[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in numeric}


@dataclass(frozen=True)
class Audit:
    """Rows of the tables AUDIT (the figures), VOTES and PROBES of one judge."""

    figures: list[dict]
    votes: list[dict] = field(default_factory=list)
    probes: list[dict] = field(default_factory=list)


@dataclass(frozen=True)
class Results:
    """Data by role of the policy; audits by name and seed of the judge; groups of subjects by name.

    `accuracies`: subject -> its validation curve; `steps`: column of METRICS -> its values by step, NaN for none.
    """

    arms: list[Arm]
    baselines: list[Arm] = field(default_factory=list)
    curves: dict[str, Curve] = field(default_factory=dict)
    accuracies: dict[str, dict[str, Curve]] = field(default_factory=dict)
    steps: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    points: dict[str, LawPoints] = field(default_factory=dict)
    grades: dict[str, Graded] = field(default_factory=dict)
    answers: dict[str, Answered] = field(default_factory=dict)
    audits: dict[tuple[str, int], Audit] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)

    def subjects(self, wanted: str | list[str], known: list[str]) -> set[str] | None:
        """Subjects by name, or of a group: control, ood, free_form (all known others), all (None)."""
        if isinstance(wanted, list):
            return set(wanted)
        if wanted == "all":
            return None
        if wanted == "free_form":
            return set(known) - set(self.groups.get("control", [])) - set(self.groups.get("ood", []))
        return set(self.groups.get(wanted, [wanted]))

    def benchmarks(self) -> list[str]:
        return sorted({name for graded in self.grades.values() for name in graded.benchmarks()})
