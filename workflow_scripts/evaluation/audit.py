"""The audit of a judge: who agrees with whom on held-out rollouts, and how well calibrated.

Rows follow the AUDIT, VOTES and RELIABILITY schemas. Items are distinct answers, weighted by the rollouts that gave
them. Measured are the models and what they are compared with; measured against are the teacher's verdicts, the majority
of its votes, a second rater and the truth, as far as there are such.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from workflow_scripts.evaluation.agreement import confusion, expected_calibration_error, reliability
from workflow_scripts.rewards.votes import majority

CLEAR = 0.05  # a soft reward says more than a hard one only where P(YES) is away from 0 and 1 by this
REFERENCES = ("teacher", "majority", "second", "truth")  # raters that others are measured against
ONLY_REFERENCES = ("majority", "truth")  # and that are not measured themselves


@dataclass(frozen=True)
class Items:
    """N audited answers: subject, weight (rollouts), and verdicts by rater, all (N,); P(YES) of those that have one.

    `rated` (N,) bool: which answers the second rater has seen; None: all.
    """

    subjects: np.ndarray
    weights: np.ndarray
    verdicts: dict[str, np.ndarray]
    p_yes: dict[str, np.ndarray]
    rated: np.ndarray | None = None

    @property
    def references(self) -> list[str]:
        """The raters to measure against that there are."""
        return [name for name in REFERENCES if name in self.verdicts]

    def seen_by(self, rater: str) -> "Items":
        """The items that `rater` has rated: all, but for a second rater who has seen a part."""
        if rater != "second" or self.rated is None:
            return self
        return Items(
            self.subjects[self.rated],
            self.weights[self.rated],
            {name: verdicts[self.rated] for name, verdicts in self.verdicts.items()},
            {name: p_yes[self.rated] for name, p_yes in self.p_yes.items()},
        )


def agreement_rows(items: Items) -> list[dict[str, Any]]:
    """Agreement of every rater with every reference, per subject and over all, on what both have rated."""
    rows = []
    for judge in (name for name in items.verdicts if name not in ONLY_REFERENCES):
        for versus in (name for name in items.references if name != judge):
            shared = items.seen_by("second") if "second" in (judge, versus) else items
            for subject, inside in by_subject(shared.subjects):
                verdicts, actual = shared.verdicts[judge][inside], shared.verdicts[versus][inside]
                found = confusion(verdicts, actual, shared.weights[inside])
                figures = {
                    "balanced_accuracy": found.balanced_accuracy,
                    "accuracy": found.accuracy,
                    "kappa": found.kappa,
                    "recall": found.recall,
                    "false_positive_rate": found.false_positive_rate,
                }
                if judge in shared.p_yes:
                    bars = reliability(shared.p_yes[judge][inside], actual, shared.weights[inside])
                    figures["ece"] = expected_calibration_error(bars)
                rows += [_row(judge, versus, subject, metric, value, found.n) for metric, value in figures.items()]
    return rows


def uncertainty_rows(items: Items, versus: str) -> list[dict[str, Any]]:
    """Share of rollouts on which P(YES) lies within 0.05-0.95, per subject and over all."""
    rows = []
    for judge, p_yes in items.p_yes.items():
        for subject, inside in by_subject(items.subjects):
            weights = items.weights[inside]
            unclear = (p_yes[inside] >= CLEAR) & (p_yes[inside] <= 1 - CLEAR)
            share = float(weights[unclear].sum() / weights.sum())
            rows.append(_row(judge, versus, subject, "share_unclear", share, weights.sum()))
    return rows


def vote_rows(items: Items, votes: Sequence[Sequence[bool]]) -> list[dict[str, Any]]:
    """Agreement of the majority of the first m votes on each answer with every reference, m = 1, 2, ... as many as all
    answers have (2503.23829, Tables 7 and 8, where m = 1..10 and the reference is another model)."""
    rows = []
    for m in range(1, min(map(len, votes), default=0) + 1):
        voted = replace(items, verdicts=items.verdicts | {"voted": np.array([majority(one[:m]) for one in votes])})
        for versus in (name for name in items.references if name != "majority"):
            shared = voted.seen_by(versus)
            for subject, inside in by_subject(shared.subjects):
                pair = (shared.verdicts[name][inside] for name in ("voted", versus))
                found = confusion(*pair, shared.weights[inside])
                figures = {"accuracy": found.accuracy, "kappa": found.kappa, "n": round(found.n)}
                rows.append({"votes": m, "versus": versus, "subject": subject, **figures})
    return rows


def reliability_rows(items: Items) -> list[dict[str, Any]]:
    """Reliability diagram of each judge's P(YES): against the truth where it is known, else against the teacher."""
    versus = "truth" if "truth" in items.verdicts else "teacher"
    return [
        {
            "judge": judge,
            "versus": versus,
            "bin_low": bar.low,
            "bin_high": bar.high,
            "mean_p_yes": bar.mean_p_yes,
            "share_yes": bar.share_yes,
            "n": round(bar.n),
        }
        for judge, p_yes in items.p_yes.items()
        for bar in reliability(p_yes, items.verdicts[versus], items.weights)
    ]


def by_subject(subjects: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """(subject, mask (N,)) of all rows together, then of each subject of (N,) names."""
    everything = np.ones(len(subjects), dtype=bool)
    return [("all", everything)] + [(name, subjects == name) for name in sorted(set(subjects.tolist()))]


def _row(judge: str, versus: str, subject: str, metric: str, value: float, n: float) -> dict[str, Any]:
    return {
        "judge": judge,
        "versus": versus,
        "subject": subject,
        "metric": metric,
        "value": float(value),
        "n": round(float(n)),
    }
