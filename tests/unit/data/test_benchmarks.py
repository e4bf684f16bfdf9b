"""Real benchmark files adapt: every row of the published count is kept, or dropped for a reason that is named here.

The files are no part of the project. `BENCHMARKS` names their folder; the default is beside the checkout.
"""

import json
import os
import re
from pathlib import Path

import pytest

from workflow_scripts.data.subjects import GROUPS

FOLDER = Path(os.environ.get("BENCHMARKS", Path(__file__).resolve().parents[3] / "../shared/data/benchmarks"))
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no benchmark files in {FOLDER}: name their folder in the variable BENCHMARKS"
)

# file -> columns, rows of the published set, what is dropped of them
FILES = {
    "aime24.jsonl": ({"prompt": "problem", "reference": "answer"}, 30, {}),
    "aime25_*.jsonl": ({"prompt": "question", "reference": "answer"}, 30, {}),
    "amc23.jsonl": ({"prompt": "problem", "reference": "answer"}, 40, {}),
    "math500.jsonl": ({"prompt": "question", "reference": "answer", "answer": "boxed"}, 500, {}),
    "minerva_math.jsonl": ({"prompt": "problem", "reference": "solution", "answer": "boxed"}, 272, {}),
    "olympiadbench.jsonl": ({"prompt": "question", "reference": "final_answer", "answer": "math"}, 675, {}),
    "omni_math_rule.jsonl": ({"prompt": "problem", "reference": "answer"}, 2821, {"duplicates": 5}),
    "gsm8k_train.jsonl": ({"prompt": "question", "reference": "answer", "answer": "hashes"}, 7473, {}),
    "gsm8k_test.jsonl": ({"prompt": "question", "reference": "answer", "answer": "hashes"}, 1319, {}),
    "theoremqa.json": (
        {"prompt": "Question", "reference": "Answer", "answer": "value", "subject": "field", "subjects": "groups"},
        800,
        {"conflicting": 2},  # one question about two different pictures
    ),
}


@pytest.fixture
def adapted(sample):
    def make(name: str, **more):
        columns = FILES[name][0] | more
        dataset = {"source": {"kind": "file", "path": str(FOLDER / name), "columns": columns}, "splits": {"test": {}}}
        tables = sample("benchmark", dataset)
        return tables.files[0][1], {key.removeprefix("test."): count for key, count in tables.counts.items() if count}

    return make


def originals(name: str) -> list[dict]:
    path = FOLDER / name
    return json.loads(path.read_text()) if path.suffix == ".json" else [json.loads(line) for line in path.open()]


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_kept_or_accounted_for(adapted, name):
    columns, counts = adapted(name)
    _, rows, dropped = FILES[name]
    assert counts == {"loaded": rows, "kept": rows - sum(dropped.values())} | dropped
    assert len(set(columns["question_id"])) == counts["kept"] == len(columns["reference"])
    assert all(columns["reference"]) and all(columns["prompt"])


@pytest.mark.parametrize("name", ["aime24.jsonl", "aime25_*.jsonl"])
def test_answers_of_aime_are_integers_below_a_thousand(adapted, name):
    assert all(re.fullmatch(r"\d{1,3}(\^\\circ)?", answer) for answer in adapted(name)[0]["reference"])


def test_answers_of_amc_lose_their_decimal_point(adapted):
    assert all(re.fullmatch(r"-?\d+", answer) for answer in adapted("amc23.jsonl")[0]["reference"])


def test_answers_of_gsm8k_are_plain_numbers(adapted):
    for name in ("gsm8k_train.jsonl", "gsm8k_test.jsonl"):
        assert all(re.fullmatch(r"-?\d+(\.\d+)?", answer) for answer in adapted(name)[0]["reference"])


def test_the_box_of_math_500_is_the_answer_that_its_solutions_state_again(adapted):
    columns = adapted("math500.jsonl")[0]
    stated = {
        row["question"].strip(): row["answer"].rpartition("The answer is:")[2] for row in originals("math500.jsonl")
    }
    found = dict(zip(columns["prompt"], columns["reference"], strict=True))
    assert found == {question: answer.strip() for question, answer in stated.items()}


def test_answers_of_minerva_have_balanced_braces_and_no_box(adapted):
    for answer in adapted("minerva_math.jsonl")[0]["reference"]:
        assert "boxed" not in answer and answer.count("{") == answer.count("}")


def test_answers_of_olympiadbench_are_formulas_without_dollars(adapted):
    references = adapted("olympiadbench.jsonl")[0]["reference"]
    assert not any("$" in answer for answer in references) and "(1,8,19), (2,7,13), (4,5,7)" in references


def test_theoremqa_answers_keep_their_kinds_and_its_fields_their_groups(adapted):
    columns = adapted("theoremqa.json")[0]
    assert {"stem", "social_sciences"} == set(columns["subject"]) <= set(GROUPS)
    assert "0, 5" in columns["reference"] and {"True", "False", "(c)", "11760"} <= set(columns["reference"])
    whole = sum(isinstance(row["Answer"], float) and row["Answer"].is_integer() for row in originals("theoremqa.json"))
    assert whole > 50 and not any(answer.endswith(".0") for answer in columns["reference"])


def test_questions_with_a_picture_can_be_left_out(adapted):
    counts = adapted("theoremqa.json", keep={"Picture": [None]})[1]
    assert counts == {"loaded": 800, "filtered": 53, "kept": 747}


def test_a_file_in_another_format_gives_the_same_table(adapted, sample, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name in ("amc23.jsonl", "olympiadbench.jsonl", "gsm8k_test.jsonl"):
        pq.write_table(pa.Table.from_pylist(originals(name)), tmp_path / "copy.parquet")
        source = {"kind": "file", "path": str(tmp_path / "copy.parquet"), "columns": FILES[name][0]}
        copy = sample("benchmark", {"source": source, "splits": {"test": {}}})
        assert copy.files[0][1] == adapted(name)[0]
