"""Parquet is checked on write and on read, and equal rows give equal bytes."""

import pyarrow as pa
import pytest

from workflow_scripts.artifacts import StageError
from workflow_scripts.artifacts.keys import file_digest
from workflow_scripts.artifacts.schemas import QUESTIONS, TRAINING, describe
from workflow_scripts.artifacts.tables import read_table, write_table

ROWS = {"question_id": ["a"], "subject": ["s"], "prompt": ["p"], "reference": ["r"]}


def test_round_trip_and_equal_bytes(tmp_path):
    for name in ("one.parquet", "two.parquet"):
        assert write_table(tmp_path / name, ROWS, QUESTIONS) == 1
    assert read_table(tmp_path / "one.parquet", QUESTIONS).to_pydict() == ROWS
    assert file_digest(tmp_path / "one.parquet") == file_digest(tmp_path / "two.parquet")


def test_rows_are_written_as_columns_are_without_what_the_schema_does_not_have(tmp_path):
    rows = [{"note": 1, **{name: f"{name} {n}" for name in QUESTIONS.names}} for n in range(2)]
    assert write_table(tmp_path / "rows.parquet", rows, QUESTIONS) == 2
    assert read_table(tmp_path / "rows.parquet", QUESTIONS).to_pylist() == [
        {name: row[name] for name in QUESTIONS.names} for row in rows
    ]
    assert write_table(tmp_path / "none.parquet", [], QUESTIONS) == 0
    with pytest.raises(StageError, match="missing or unknown columns subject"):
        write_table(
            tmp_path / "lacking.parquet", [*rows, {"question_id": "c", "prompt": "", "reference": ""}], QUESTIONS
        )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({**ROWS, "extra": [1]}, "unknown columns extra"),
        ({"question_id": ["a"]}, "missing or unknown columns"),
        ({**ROWS, "prompt": [None]}, "column prompt has 1 nulls"),
        ({**ROWS, "prompt": [3]}, "questions.parquet"),
        ({**ROWS, "prompt": ["p", "q"]}, "questions.parquet"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path, columns, message):
    with pytest.raises(StageError, match=message):
        write_table(tmp_path / "questions.parquet", columns, QUESTIONS)


def test_another_schema_is_named_on_read(tmp_path):
    write_table(tmp_path / "t.parquet", ROWS, QUESTIONS)
    with pytest.raises(StageError, match="t.parquet: schema differs: .*grad_norm"):
        read_table(tmp_path / "t.parquet", TRAINING)


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(StageError, match="t.parquet: not a readable Parquet file"):
        read_table(tmp_path / "t.parquet", QUESTIONS)
    with pytest.raises(StageError, match="none.parquet: file is missing"):
        read_table(tmp_path / "none.parquet", QUESTIONS)


def test_every_column_is_described():
    assert all(": " in line and line.rpartition(", ")[2] for line in describe(QUESTIONS).splitlines())
    assert pa.types.is_string(QUESTIONS.field("prompt").type)
