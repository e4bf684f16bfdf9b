"""Real files come in with their columns mapped; splits share no question; everything dropped is counted."""

import json

import pytest

from workflow_scripts.data.prompts import render
from workflow_scripts.data.sources import file as file_source
from workflow_scripts.data.sources.columns import cell_text, to_rows
from workflow_scripts.data.splits import deal
from workflow_scripts.data.text import last_line, question_key

COLUMNS = {"prompt": "question", "reference": "answer", "subject": None}


def rows(*prompts):
    return [{"subject": "all", "prompt": prompt, "reference": "1"} for prompt in prompts]


def test_splits_of_one_origin_share_no_question_and_everything_is_counted():
    pool = rows(*(f"q{n}" for n in range(20)), "Q3 ", "q4")
    splits = {"train": {"rows": 8, "source": "all"}, "explore": {"rows": 6, "source": "all"}}
    dealt, counts = deal(splits, lambda origin: (pool, 1), 3, {question_key("q0")})
    names = {split: {row["prompt"] for row in part} for split, part in dealt.items()}
    assert not names["train"] & names["explore"] and "q0" not in names["train"] | names["explore"]
    assert counts["loaded"] == 23 and counts["duplicates"] == 2 and counts["overlap"] == 1 and counts["empty"] == 1
    kept = sum(map(len, dealt.values()))
    assert counts["loaded"] == kept + counts["duplicates"] + counts["overlap"] + counts["empty"] + counts["unused"]


def test_the_benchmark_keeps_a_shared_question_and_training_loses_it():
    origins = {"train": rows("a", "b", "c"), "test": rows("b")}
    dealt, counts = deal({"train": {}, "test": {}}, lambda origin: (origins[origin], 0), 1, set())
    assert [row["prompt"] for row in dealt["train"]] == ["a", "c"] and counts["overlap"] == 1


def test_too_few_rows_are_named():
    with pytest.raises(ValueError, match="split 'train' asks for 5 rows .* found 2"):
        deal({"train": {"rows": 5}}, lambda origin: (rows("a", "b"), 0), 1, set())


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ([{"role": "system", "content": "s"}, {"role": "user", "content": " q "}], "q"),
        (["1", "2"], "1, 2"),
        (["7"], "7"),
        (27.0, "27"),
        (None, ""),
    ],
)
def test_cells_become_text(cell, text):
    assert cell_text(cell) == text


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="here: row 1 has no column 'question'"):
        to_rows([{"q": 1}], COLUMNS, "here")


def test_a_local_file_is_read_and_gsm8k_solutions_keep_their_answer(tmp_path):
    path = tmp_path / "gsm.jsonl"
    path.write_text(json.dumps({"question": "1+1?", "answer": "one and one\n#### 2"}) + "\n")
    found, empty = file_source.load({"path": str(path), "columns": COLUMNS}, "test")
    assert found == [{"subject": "all", "prompt": "1+1?", "reference": "2"}] and empty == 0


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "broken.jsonl").write_text("{not json\n")
    for name in ("broken.jsonl", "missing.jsonl"):
        with pytest.raises(ValueError, match=name):
            file_source.load({"path": str(tmp_path / name), "columns": COLUMNS}, "test")


def test_the_last_line_is_the_last_that_is_not_empty():
    assert last_line("work\n 21 \n\n") == "21" and last_line(" \n") == ""


def test_templates_take_their_fields_and_name_what_is_wrong():
    assert "2+2" in render("policy_boxed", question="2+2") and "boxed" in render("policy_boxed", question="2+2")
    for template, fields in (("no_such", {"question": "x"}), ("policy_boxed", {})):
        with pytest.raises(ValueError):
            render(template, **fields)
