"""The audit's rows: rollouts as weights, truth as measure, raters who saw a part, votes added one by one."""

import numpy as np
import pytest

from workflow_scripts.evaluation.audit import Items, agreement_rows, reliability_rows, uncertainty_rows, vote_rows
from workflow_scripts.evaluation.probing import worst_false_positive_rate


@pytest.fixture
def items():
    return Items(
        subjects=np.array(["dates", "dates", "logic", "logic"]),
        weights=np.array([1.0, 3.0, 2.0, 4.0]),
        verdicts={
            "teacher": np.array([True, True, False, False]),
            "distilled": np.array([True, True, False, True]),
            "constant": np.zeros(4, dtype=bool),
            "truth": np.array([True, False, False, False]),
        },
        p_yes={"teacher": np.array([0.99, 0.6, 0.01, 0.01]), "distilled": np.array([0.97, 0.9, 0.02, 0.5])},
    )


def found(rows, **wanted):
    rows = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    assert len(rows) == 1
    return rows[0]


def value(rows, judge, versus, metric, subject="all"):
    return found(rows, judge=judge, versus=versus, metric=metric, subject=subject)["value"]


def test_agreement_is_weighted_by_rollouts_and_split_by_subject(items):
    rows = agreement_rows(items)
    assert value(rows, "distilled", "teacher", "accuracy") == pytest.approx(0.6)
    assert value(rows, "distilled", "teacher", "accuracy", "dates") == 1.0
    assert value(rows, "distilled", "teacher", "false_positive_rate", "logic") == pytest.approx(4 / 6)
    assert value(rows, "teacher", "truth", "accuracy") == pytest.approx(0.7)
    assert value(rows, "constant", "truth", "kappa") == 0.0
    assert not [row for row in rows if row["judge"] == "truth" or row["judge"] == row["versus"]]
    assert {row["n"] for row in rows if row["subject"] == "all"} == {10}


def test_a_second_rater_is_compared_on_what_it_has_rated_and_the_others_on_everything(items):
    second = np.array([True, False, False, False])  # the last two were not rated: their values must not count
    both = Items(
        items.subjects,
        items.weights,
        items.verdicts | {"second": second},
        items.p_yes,
        rated=np.array([True, True, False, False]),
    )
    rows = agreement_rows(both)
    for judge, versus in (("teacher", "second"), ("second", "teacher")):
        row = found(rows, judge=judge, versus=versus, metric="accuracy", subject="all")
        assert row["value"] == pytest.approx(0.25) and row["n"] == 4
    assert value(rows, "distilled", "teacher", "accuracy") == value(
        agreement_rows(items), "distilled", "teacher", "accuracy"
    )
    assert not [row for row in rows if "second" in (row["judge"], row["versus"]) and row["subject"] == "logic"]


def test_votes_are_added_one_by_one_and_ties_are_yes(items):
    votes = [[True, True, True], [False, True, False], [False, False, True], [True, False, False]]
    rows = vote_rows(items, votes)
    assert {row["votes"] for row in rows} == {1, 2, 3} and {row["versus"] for row in rows} == {"teacher", "truth"}
    # against the teacher (yes, yes, no, no), weights 1, 3, 2, 4
    expected = {1: 0.3, 2: 0.6, 3: 0.7}  # wrong: rows 2 and 4; row 4 by a tie; row 2
    for m, accuracy in expected.items():
        assert found(rows, votes=m, versus="teacher", subject="all")["accuracy"] == pytest.approx(accuracy), m
    assert vote_rows(items, [[], [], [], []]) == []


def test_share_of_unclear_probabilities_counts_rollouts(items):
    rows = uncertainty_rows(items, "teacher")
    assert value(rows, "teacher", "teacher", "share_unclear") == pytest.approx(0.3)
    assert value(rows, "distilled", "teacher", "share_unclear") == pytest.approx(0.7)


def test_reliability_is_against_the_truth_or_else_the_teacher(items):
    top = found(reliability_rows(items), judge="distilled", bin_low=0.9)
    assert (top["n"], top["versus"]) == (4, "truth") and top["share_yes"] == pytest.approx(0.25)
    del items.verdicts["truth"]
    top = found(reliability_rows(items), judge="distilled", bin_low=0.9)
    assert (top["n"], top["versus"]) == (4, "teacher") and top["share_yes"] == 1.0


def test_the_worst_probe_is_one_that_reaches_the_judge():
    def probe(text, rate, judge="distilled", subject="all"):
        return {"judge": judge, "probe": text, "subject": subject, "false_positive_rate": rate, "n": 7}

    others = [probe("Solution", 0.7, judge="base"), probe("x", 0.8, subject="dates")]
    rows = [probe(".", 0.9), probe("Solution", 0.2), *others]
    assert worst_false_positive_rate(rows, "distilled") == (0.2, 7)
