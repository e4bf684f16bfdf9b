"""Protects the two averages over benchmarks, and what is read from the answers' texts."""

import numpy as np
import pyarrow as pa
import pytest

from workflow_scripts.analysis.answers import read_answers
from workflow_scripts.analysis.averages import PLAIN, WEIGHTED, average_difference, average_of, common_graders
from workflow_scripts.analysis.grades import read_grades
from workflow_scripts.artifacts.schemas import ANSWERS, GRADES


def grades_table(verdicts: dict[str, list[list[bool]]]) -> pa.Table:
    """Benchmark -> question -> verdicts of the rule."""
    rows = [
        {"benchmark": b, "question_id": f"{b}{q}", "subject": "s", "level": 0, "sample": i, "rule": bool(right)}
        for b, questions in verdicts.items()
        for q, samples in enumerate(questions)
        for i, right in enumerate(samples)
    ]
    return pa.Table.from_pylist([dict.fromkeys(GRADES.names) | row for row in rows], GRADES)


def graded(verdicts):
    return read_grades(grades_table(verdicts))


def test_plain_and_row_weighted_averages_of_known_accuracies():
    one = graded({"aime": [[1, 0, 0, 0]] * 3, "math": [[1]] * 9 + [[0]]})
    assert average_of([one], "rule", PLAIN).value == pytest.approx((0.25 + 0.9) / 2)
    assert average_of([one], "rule", WEIGHTED).value == pytest.approx((3 + 9) / 22)
    assert average_of([one, one, one], "rule", WEIGHTED).value == pytest.approx((3 + 9) / 22)


def test_interval_of_an_average_holds_no_difference_between_benchmarks():
    rng = np.random.default_rng(0)
    easy, hard = ([[bool(v)] for v in rng.random(200) < p] for p in (0.95, 0.05))
    estimate = average_of([graded({"a": easy, "b": hard})], "rule", PLAIN)
    expected = 1.96 * np.sqrt(0.95 * 0.05 / 200 / 4 * 2)
    assert (estimate.high - estimate.low) / 2 == pytest.approx(expected, rel=0.25)


def test_difference_of_averages_is_paired():
    a, b = graded({"x": [[1], [0]], "y": [[1], [1]]}), graded({"x": [[0], [0]], "y": [[1], [1]]})
    assert average_difference([(a, b)], "rule", PLAIN).value == pytest.approx(0.25)


def test_no_average_over_one_benchmark_or_without_a_common_grader():
    assert common_graders([graded({"x": [[1]]})]) == []
    assert common_graders([graded({"x": [[1]], "y": [[0]]})]) == ["rule"]
    assert common_graders([graded({"x": [[1]], "y": [[0]]}), graded({"x": [[1]]})]) == []


def answers_table(responses: list[list[str]], truncated: bool = False) -> pa.Table:
    rows = [
        {
            "benchmark": "x",
            "question_id": f"x{q}",
            "sample": i,
            "response": text,
            "truncated": truncated and i == 0,
            "no_answer": not text,
        }
        for q, samples in enumerate(responses)
        for i, text in enumerate(samples)
    ]
    whole = {"subject": "s", "level": 0, "answer": "", "length": 1}
    return pa.Table.from_pylist([whole | row for row in rows], ANSWERS)


def test_answers_of_one_normal_form_vote_together():
    responses = [["so\n21", "twenty-one", "", "21."]]
    table = grades_table({"x": [[1, 1, 0, 1]]})
    found = read_answers(answers_table(responses, truncated=True), table, read_grades(table))
    assert [found.majority["x", k]["x0"] for k in (1, 4)] == [0.75, 1.0]
    assert found.rates == {("truncated", "x"): {"x0": 0.25}, ("no_answer", "x"): {"x0": 0.25}}


def test_answers_and_grades_of_other_rows_are_refused():
    table = grades_table({"x": [[1, 0]]})
    with pytest.raises(ValueError, match="differ in benchmark, question or sample"):
        read_answers(answers_table([["1"], ["2"]]), table, read_grades(table))
