"""The audit's rows and its gate: rollouts as weights, truth as measure, one missed threshold shuts the gate."""

import numpy as np
import pytest

from workflow_scripts.evaluation.audit import Items, agreement_rows, gate_rows, reliability_rows, uncertainty_rows
from workflow_scripts.evaluation.probing import worst_false_positive_rate

GATE = {"balanced_accuracy": 0.8, "kappa": 0.5, "false_positive_rate": 0.1}


@pytest.fixture
def items():
    teacher = np.array([True, True, False, False])
    return Items(
        subjects=np.array(["dates", "dates", "logic", "logic"]),
        weights=np.array([1.0, 3.0, 2.0, 4.0]),
        verdicts={
            "teacher": teacher,
            "distilled": np.array([True, True, False, True]),
            "constant": np.zeros(4, dtype=bool),
            "truth": np.array([True, False, False, False]),
        },
        p_yes={"teacher": np.array([0.99, 0.6, 0.01, 0.01]), "distilled": np.array([0.97, 0.9, 0.02, 0.5])},
    )


def value(rows, judge, versus, metric, subject="all"):
    wanted = (judge, versus, metric, subject)
    found = [row for row in rows if (row["judge"], row["versus"], row["metric"], row["subject"]) == wanted]
    assert len(found) == 1
    return found[0]["value"]


def test_agreement_is_weighted_by_rollouts_and_split_by_subject(items):
    rows = agreement_rows(items, ("teacher", "truth"))
    assert value(rows, "distilled", "teacher", "accuracy") == pytest.approx(0.6)
    assert value(rows, "distilled", "teacher", "accuracy", "dates") == 1.0
    assert value(rows, "distilled", "teacher", "false_positive_rate", "logic") == pytest.approx(4 / 6)
    assert value(rows, "teacher", "truth", "accuracy") == pytest.approx(0.7)
    assert value(rows, "constant", "truth", "kappa") == 0.0
    assert not [row for row in rows if row["judge"] == "truth" or row["judge"] == row["versus"]]
    assert {row["n"] for row in rows if row["subject"] == "all"} == {10}


def test_share_of_unclear_probabilities_counts_rollouts(items):
    rows = uncertainty_rows(items, "teacher")
    assert value(rows, "teacher", "teacher", "share_unclear") == pytest.approx(0.3)
    assert value(rows, "distilled", "teacher", "share_unclear") == pytest.approx(0.7)


def test_reliability_is_against_the_truth(items):
    top = [row for row in reliability_rows(items, "truth") if row["judge"] == "distilled" and row["bin_low"] == 0.9]
    assert len(top) == 1 and top[0]["n"] == 4 and top[0]["share_yes"] == pytest.approx(0.25)


def test_each_missed_threshold_shuts_the_gate(items):
    rows = agreement_rows(items, ("teacher",))
    reached = {"balanced_accuracy": 0.6, "kappa": 0.1, "false_positive_rate": 0.2}
    assert value(gate_rows(rows, 0.2, 4, reached), "distilled", "teacher", "gate") == 1.0
    for name, missed in (("balanced_accuracy", 0.9), ("kappa", 0.9), ("false_positive_rate", 0.1)):
        shut = gate_rows(rows, 0.2, 4, reached | {name: missed})
        assert value(shut, "distilled", "teacher", "gate") == 0.0
        assert [row["metric"] for row in shut if row["value"] == 0.0] == [f"gate_{name}", "gate"]


def test_a_figure_that_was_not_measured_does_not_pass(items):
    rows = agreement_rows(items, ("teacher",))
    assert value(gate_rows(rows, float("nan"), 0, GATE), "distilled", "teacher", "gate_false_positive_rate") == 0.0


def test_the_worst_probe_is_one_that_reaches_the_judge():
    def probe(text, rate, judge="distilled", subject="all"):
        return {"judge": judge, "probe": text, "subject": subject, "false_positive_rate": rate}

    others = [probe("Solution", 0.7, judge="base"), probe("x", 0.8, subject="dates")]
    rows = [probe(".", 0.9), probe("Solution", 0.2), *others]
    assert worst_false_positive_rate(rows, "distilled") == 0.2
