"""Probe a judge: does it accept an answer that answers nothing?"""

from typing import Any

import numpy as np

from workflow_scripts.evaluation.audit import by_subject
from workflow_scripts.evaluation.gate import Figure
from workflow_scripts.evaluation.probes import PROBES
from workflow_scripts.evaluation.raters import rate
from workflow_scripts.ranks import Ranks
from workflow_scripts.rewards.content import is_content_free
from workflow_scripts.rewards.judge import Judge
from workflow_scripts.rewards.rule import Verdict, compare


def probe_rows(
    name: str, judge: Judge, questions: list[dict[str, Any]], ranks: Ranks | None = None
) -> list[dict[str, Any]]:
    """PROBES rows of one judge: every probe on every question (rows with subject, prompt, reference).

    The network itself is asked, also on the answers that a reward refuses unasked. A question to which a probe happens
    to be the answer is left out.
    """
    rows = []
    for probe in PROBES:
        asked = [row for row in questions if compare(probe, row["reference"]) is not Verdict.EQUAL]
        if not asked:
            continue
        scores = rate(judge, [{**row, "answer": probe} for row in asked], ranks, every=True)
        for subject, inside in by_subject(np.array([row["subject"] for row in asked])):
            rows.append(
                {
                    "judge": name,
                    "probe": probe,
                    "subject": subject,
                    "false_positive_rate": float(scores.verdicts[inside].mean()),
                    "mean_p_yes": float(scores.p_yes[inside].mean()),
                    "n": int(inside.sum()),
                }
            )
    return rows


def worst_false_positive_rate(rows: list[dict[str, Any]], name: str) -> Figure:
    """Highest rate over the probes that reach this judge when it rewards: content-free ones are refused before it."""
    rates = [
        Figure(row["false_positive_rate"], row["n"])
        for row in rows
        if row["judge"] == name and row["subject"] == "all" and not is_content_free(row["probe"])
    ]
    return max(rates, default=Figure(float("nan"), 0))
