"""The answers and grades of one policy, of all its benchmarks together."""

import pyarrow as pa

from workflow_scripts.artifacts import Stage
from workflow_scripts.artifacts.schemas import ANSWERS, GRADES


def answers_of(stage: Stage, role: str) -> pa.Table:
    """ANSWERS of an upstream artifact of `sample_answers`."""
    return _all(stage, role, ANSWERS)


def grades_of(stage: Stage, role: str) -> pa.Table:
    """GRADES of an upstream artifact of `grade_answers`."""
    return _all(stage, role, GRADES)


def _all(stage: Stage, role: str, schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([stage.read(role, file, schema) for file in stage.files(role) if file.endswith(".parquet")])
