"""The audit of a judge: who agrees with whom on held-out rollouts, how well calibrated, and does the gate open.

Rows follow the AUDIT and RELIABILITY schemas. Items are distinct answers, weighted by the rollouts that gave them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from workflow_scripts.evaluation.agreement import confusion, expected_calibration_error, reliability

CLEAR = 0.05  # a soft reward says more than a hard one only where P(YES) is away from 0 and 1 by this


@dataclass(frozen=True)
class Items:
    """N audited answers: subject, weight (rollouts), and verdicts by rater, all (N,); P(YES) of those that have one."""

    subjects: np.ndarray
    weights: np.ndarray
    verdicts: dict[str, np.ndarray]
    p_yes: dict[str, np.ndarray]


def agreement_rows(items: Items, references: tuple[str, ...]) -> list[dict[str, Any]]:
    """Agreement of every rater with every rater of `references`, per subject and over all."""
    rows = []
    for judge in items.verdicts:
        for versus in references:
            if judge in (versus, *references[1:]):  # the truth and the votes are measured by, not measured
                continue
            for subject, inside in _subjects(items):
                verdicts, actual = items.verdicts[judge][inside], items.verdicts[versus][inside]
                found = confusion(verdicts, actual, items.weights[inside])
                figures = {
                    "balanced_accuracy": found.balanced_accuracy,
                    "accuracy": found.accuracy,
                    "kappa": found.kappa,
                    "recall": found.recall,
                    "false_positive_rate": found.false_positive_rate,
                }
                if judge in items.p_yes:
                    bars = reliability(items.p_yes[judge][inside], actual, items.weights[inside])
                    figures["ece"] = expected_calibration_error(bars)
                rows += [_row(judge, versus, subject, metric, value, found.n) for metric, value in figures.items()]
    return rows


def uncertainty_rows(items: Items, versus: str) -> list[dict[str, Any]]:
    """Share of rollouts on which P(YES) lies within 0.05-0.95, per subject and over all."""
    rows = []
    for judge, p_yes in items.p_yes.items():
        for subject, inside in _subjects(items):
            weights = items.weights[inside]
            unclear = (p_yes[inside] >= CLEAR) & (p_yes[inside] <= 1 - CLEAR)
            share = float(weights[unclear].sum() / weights.sum())
            rows.append(_row(judge, versus, subject, "share_unclear", share, weights.sum()))
    return rows


def reliability_rows(items: Items, actual: str) -> list[dict[str, Any]]:
    """Reliability diagram of each judge's P(YES) against one rater (the truth where it is known)."""
    return [
        {
            "judge": judge,
            "bin_low": bar.low,
            "bin_high": bar.high,
            "mean_p_yes": bar.mean_p_yes,
            "share_yes": bar.share_yes,
            "n": round(bar.n),
        }
        for judge, p_yes in items.p_yes.items()
        for bar in reliability(p_yes, items.verdicts[actual], items.weights)
    ]


def gate_rows(rows: list[dict[str, Any]], worst_probe: float, probed: int, gate: dict[str, float]) -> list[dict]:
    """Verdict of the gate, 1 or 0, on the distilled judge: one row per threshold (`gate_…`) and one of all (`gate`).

    Agreement is taken with the teacher over all subjects; `worst_probe` is the highest false positive rate of a probe.
    A figure that could not be measured (NaN) does not pass.
    """
    figures = {
        row["metric"]: row
        for row in rows
        if (row["judge"], row["versus"], row["subject"]) == ("distilled", "teacher", "all")
    }
    n = figures["kappa"]["n"]
    passed = {
        "gate_balanced_accuracy": (figures["balanced_accuracy"]["value"] >= gate["balanced_accuracy"], n),
        "gate_kappa": (figures["kappa"]["value"] >= gate["kappa"], n),
        "gate_false_positive_rate": (worst_probe <= gate["false_positive_rate"], probed),
    }
    passed["gate"] = (all(good for good, _ in passed.values()), n)
    return [_row("distilled", "teacher", "all", name, float(good), n) for name, (good, n) in passed.items()]


def _subjects(items: Items) -> list[tuple[str, np.ndarray]]:
    everything = np.ones(len(items.subjects), dtype=bool)
    return [("all", everything)] + [(name, items.subjects == name) for name in sorted(set(items.subjects.tolist()))]


def _row(judge: str, versus: str, subject: str, metric: str, value: float, n: float) -> dict[str, Any]:
    return {
        "judge": judge,
        "versus": versus,
        "subject": subject,
        "metric": metric,
        "value": float(value),
        "n": round(float(n)),
    }
