"""Pairs for a teacher or judge, made from the questions of other data sets (`data/verdict_pairs.py`).

A split's `source` names the split of those data sets whose questions it is made from, so that the pairs of two splits,
and the questions of explorations, arms and benchmarks, share none.
"""

from collections.abc import Mapping
from random import Random
from typing import Any

from workflow_scripts.artifacts.schemas import PAIRS
from workflow_scripts.data.sources import Tables
from workflow_scripts.data.text import hash_fraction
from workflow_scripts.data.verdict_pairs import Question, pairs_of


def make_tables(config: dict[str, Any], questions: Mapping[str, list[Question]]) -> Tables:
    """Return the splits, `rows` pairs each, from `questions`: those of a split by its name. ValueError in one line."""
    tables = Tables()
    for name, split in config["splits"].items():
        origin = split.get("source") or name
        if split.get("rows") is None:
            raise ValueError(f"split {name!r}: pairs need a number of rows")
        subjects = split.get("subjects")
        chosen = [row for row in questions[origin] if subjects is None or row[0] in subjects]
        if not chosen:
            raise ValueError(f"split {name!r}: split {origin!r} has no questions of {', '.join(subjects or ['any'])}")
        columns = _columns(chosen, split["rows"], Random(f"pairs {name} {config['seed']}"))
        tables.files.append((f"{name}.parquet", columns, PAIRS))
        tables.count(name, kept=split["rows"], questions=len(chosen), equivalent=sum(columns["equivalent"]))
    return tables


def _columns(questions: list[Question], rows: int, rng: Random) -> dict[str, list]:
    columns: dict[str, list] = {field.name: [] for field in PAIRS}
    for (subject, prompt, reference), (answer, equivalent, kind) in pairs_of(questions, rows, rng):
        name = f"{int(hash_fraction(prompt, answer, reference) * 2**56):014x}"
        row = (name, subject, prompt, answer, reference, equivalent, kind)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    return columns
