"""Ratings from outside: matched by question, answer and reference, bound to a digest, refused in one line."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.artifacts import StageError
from workflow_scripts.evaluation.raters import imported_verdicts

ROWS = [{"question_id": q, "answer": a, "reference": "21"} for q, a in (("q1", "21"), ("q1", "7"), ("q2", "x"))]


def ratings(path, rows, **columns):
    """A file as another tool writes it: columns in another order, nullable, one more than asked for."""
    table = {"verdict": [v for _, _, v in rows], "question_id": [q for q, _, _ in rows], "note": [""] * len(rows)}
    table |= {"answer": pa.array([a for _, a, _ in rows], pa.large_string()), "reference": ["21"] * len(rows)}
    pq.write_table(pa.table({name: values for name, values in (table | columns).items() if values is not None}), path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_ratings_are_matched_and_what_is_not_rated_is_left_out(tmp_path):
    path = tmp_path / "r.parquet"
    sha256 = ratings(path, [("q2", "x", True), ("q1", "21", True), ("q9", "21", False), ("q1", "21", True)])
    verdicts, rated = imported_verdicts(path, sha256, ROWS)
    assert rated.tolist() == [True, False, True] and verdicts[rated].tolist() == [True, True]
    assert verdicts.dtype == rated.dtype == np.bool_


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ([("q1", "21", True), ("q1", "21", False)], {}, "'21' to q1 is rated YES and NO"),
        ([("q9", "21", True)], {}, "none of the 3 audited answers is rated"),
        ([("q1", "21", None)], {}, "no table of question_id, answer, reference, verdict"),
        ([("q1", "21", True)], {"reference": None}, "no table of question_id, answer, reference, verdict"),
        ([("q1", "21", True)], {"verdict": ["maybe"]}, "no table of question_id, answer, reference, verdict"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(tmp_path, rows, columns, message):
    path = tmp_path / "r.parquet"
    sha256 = ratings(path, rows, **columns)
    with pytest.raises(StageError, match=message) as error:
        imported_verdicts(path, sha256, ROWS)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


def test_an_edited_or_missing_file_is_refused(tmp_path):
    path = tmp_path / "r.parquet"
    ratings(path, [("q1", "21", True)])
    with pytest.raises(StageError, match="the config says 0000"):
        imported_verdicts(path, "0" * 64, ROWS)
    with pytest.raises(StageError, match="no such file"):
        imported_verdicts(tmp_path / "none.parquet", "0" * 64, ROWS)
