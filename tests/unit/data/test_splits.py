"""Splits share no question, and every row of a source is dealt out, left over or dropped for a counted reason."""

import random

import pytest

from workflow_scripts.data.sources.columns import Row
from workflow_scripts.data.splits import deal


def rows(*prompts: str, reference: str = "1") -> list[Row]:
    return [Row("all", prompt, reference) for prompt in prompts]


def prompts(part: list[Row]) -> list[str]:
    return [row.prompt for row in part]


def test_splits_of_one_origin_share_no_question_and_everything_is_counted():
    pool = rows(*(f"q{n}" for n in range(20)), "Q3 ", "q4") + rows("q5", reference="2")
    splits = {"train": {"rows": 8, "source": "all"}, "explore": {"rows": 6, "source": "all"}}
    dealt, counts = deal(splits, lambda origin: pool, 3, ["q0"])
    names = {split: set(prompts(part)) for split, part in dealt.items()}
    assert not names["train"] & names["explore"] and not {"q0", "q5"} & (names["train"] | names["explore"])
    assert counts == {"all": {"duplicates": 2, "conflicting": 2, "contaminated": 1, "overlap": 0, "unused": 4}}
    assert len(pool) == sum(map(len, dealt.values())) + sum(counts["all"].values())


def test_the_order_of_a_source_does_not_matter_and_the_seed_does():
    pool = rows(*(f"q{n}" for n in range(50)), *(f"Q{n}" for n in range(50)))
    splits = {"test": {"rows": 10, "source": "all"}, "train": {"rows": 20, "source": "all"}}
    first = deal(splits, lambda origin: pool, 1, [])
    shuffled = random.Random(0).sample(pool, len(pool))
    assert deal(splits, lambda origin: shuffled, 1, []) == first
    assert deal(splits, lambda origin: pool, 2, [])[0]["test"] != first[0]["test"]


def test_the_benchmark_keeps_a_shared_question_and_training_loses_it():
    origins = {"train": rows("a", "b", "c"), "test": rows("b")}
    dealt, counts = deal({"train": {}, "test": {}}, origins.get, 1, [])
    assert prompts(dealt["train"]) == ["a", "c"] and counts["train"]["overlap"] == 1


def test_a_question_of_another_data_set_is_found_under_other_marks_and_spaces():
    pool = rows("Find $x$, if  x^2=4.", "Find y, if y^2 = 4.")
    dealt, counts = deal({"train": {}}, lambda origin: pool, 1, ["find \\(x\\) if $x^{2}=4$"])
    assert prompts(dealt["train"]) == ["Find y, if y^2 = 4."] and counts["train"]["contaminated"] == 1


def test_marks_tell_questions_of_one_data_set_apart():
    dealt, counts = deal({"train": {}}, lambda origin: rows("3 + 1", "3 - 1"), 1, [])
    assert len(dealt["train"]) == 2 and counts["train"]["duplicates"] == 0


def test_a_repeated_question_keeps_its_answer_unless_there_are_two():
    pool = rows("a", "A", "b") + [Row("all", "a", " 1"), Row("all", "c", "x"), Row("all", "c", "X")]
    dealt, counts = deal({"train": {}}, lambda origin: pool + rows("b", reference="2"), 1, [])
    assert prompts(dealt["train"]) == ["A", "c"]
    assert counts["train"]["duplicates"] == 3 and counts["train"]["conflicting"] == 2


def test_too_few_rows_are_named():
    with pytest.raises(ValueError, match="split 'train' asks for 5 rows of all subjects, found 2"):
        deal({"train": {"rows": 5}}, lambda origin: rows("a", "b"), 1, [])
    with pytest.raises(ValueError, match="split 'train' asks for any rows of law, found 0"):
        deal({"train": {"subjects": ["law"]}}, lambda origin: rows("a", "b"), 1, [])
