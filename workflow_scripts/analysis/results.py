"""Everything that the comparison works on, read once: arms with their curves, steps, law points, grades and audits."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.curves import Curve
from workflow_scripts.analysis.grades import Graded


@dataclass(frozen=True)
class LawPoints:
    """(N,) pairs of training entropy before update t (2505.22617, Eq. 5) and validation accuracy after it, and t."""

    entropy: np.ndarray
    accuracy: np.ndarray
    step: np.ndarray


def law_points(metrics: pa.Table, curve: Curve) -> LawPoints:
    """Pair each validation with the training entropy of its step, as the paper's code does.

    The validation before training has no such entropy, and a step whose groups were all filtered has none either.
    """
    entropy = dict(zip(metrics["step"].to_pylist(), metrics["entropy"].to_pylist(), strict=True))
    kept = [i for i, step in enumerate(curve.step) if entropy.get(int(step)) is not None]
    pairs = np.array([entropy[int(curve.step[i])] for i in kept], dtype=np.float64)
    return LawPoints(pairs, curve.accuracy[kept], curve.step[kept])


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
