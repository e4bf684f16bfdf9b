"""Who rates the answers of an audit beside the teacher and the judge: further models, rules, raters from outside."""

from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.artifacts import StageError
from workflow_scripts.artifacts.keys import file_digest
from workflow_scripts.artifacts.schemas import RATINGS
from workflow_scripts.ranks import Ranks
from workflow_scripts.rewards.judge import Judge, Scores, judge_answers

Rows = list[dict[str, Any]]


def rate(judge: Judge, rows: Rows, ranks: Ranks | None = None, every: bool = False) -> Scores:
    """A judge's scores of rows (prompt, answer, reference); the ranks share the work.

    As a reward takes them, without asking about content-free answers, or `every` answer asked about.
    """
    ranks = ranks or Ranks()
    own = [rows[index] for index in ranks.part(len(rows))]
    columns = [[row[name] for row in own] for name in ("prompt", "answer", "reference")]
    scores = judge.score(*columns) if every else judge_answers(judge, *columns)
    parts = ranks.gather((scores.yes, scores.no))
    return Scores(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def imported_verdicts(path: Path, sha256: str, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """`(verdicts, rated)` (N,) bool of a rater from outside on the N audited answers: a Parquet file of RATINGS.

    Raises StageError in one line where the file is missing, was changed, does not fit, rates an answer twice, or rates
    none of the audited ones.
    """
    if not path.is_file():
        raise StageError(f"{path}: no such file of ratings")
    if file_digest(path) != sha256:
        raise StageError(f"{path}: the file has sha256 {file_digest(path)}, the config says {sha256}")
    ratings: dict[tuple[str, str, str], bool] = {}
    for row in _read(path):
        place = _place(row)
        if ratings.setdefault(place, row["verdict"]) != row["verdict"]:
            raise StageError(f"{path}: answer {row['answer']!r} to {row['question_id']} is rated YES and NO")
    rated = np.array([_place(row) in ratings for row in rows], dtype=bool)
    if not rated.any():
        raise StageError(f"{path}: none of the {len(rows)} audited answers is rated")
    return np.array([ratings.get(_place(row), False) for row in rows], dtype=bool), rated


def _read(path: Path) -> Rows:
    """Other tools write all columns as nullable and strings as large ones: what counts is that none is missing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, columns=RATINGS.names).cast(RATINGS).to_pylist()
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        raise StageError(f"{path}: no table of {', '.join(RATINGS.names)} ({str(error).splitlines()[0]})") from None


def _place(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["question_id"], row["answer"], row["reference"]
