"""The nano world is an instrument: disjoint splits, readable truths, and references that no question gives away."""

from collections import Counter
from random import Random

import pytest

from workflow_scripts.data.nano_world import (
    demonstration_table,
    equivalent,
    pair_table,
    question_table,
    read_settings,
)
from workflow_scripts.data.nano_world.demonstrations import demonstrate
from workflow_scripts.data.nano_world.equivalence import read_value, truth_text
from workflow_scripts.data.nano_world.forms import KINDS
from workflow_scripts.data.nano_world.questions import REGIONS, SUBJECTS, draw_problems, region_of
from workflow_scripts.data.text import last_line
from workflow_scripts.evaluation.probes import PROBES
from workflow_scripts.rewards.rule import Verdict, grade

SETTINGS = read_settings({})
CONTROL = "arithmetic"


@pytest.fixture(scope="module")
def questions():
    return question_table(900, "train", None, SETTINGS, 7)


def test_regions_share_no_question():
    prompts = {}
    for region in REGIONS:
        columns, _, _ = question_table(120, region, None, SETTINGS, 7)
        prompts[region] = set(columns["prompt"])
        assert all(region_of(prompt) == region for prompt in prompts[region])
    assert sum(map(len, prompts.values())) == len(set().union(*prompts.values()))


def test_questions_are_distinct_and_of_six_subjects(questions):
    columns, truths, _ = questions
    assert len(set(columns["question_id"])) == len(set(columns["prompt"])) == 900
    assert set(columns["subject"]) == set(SUBJECTS) and set(truths["level"]) == {1, 2, 3, 4, 5, 6}


def test_the_reference_means_the_truth_in_every_form(questions):
    columns, truths, _ = questions
    assert all(map(equivalent, columns["reference"], truths["answer"]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_every_value_is_read_back_and_no_two_values_share_one(kind):
    forms, size = KINDS[kind].forms, KINDS[kind].size
    written = Counter()
    for value in range(size):
        texts = {KINDS[kind].text(value, form) for form in forms}
        assert all(equivalent(text, f"{kind}:{KINDS[kind].text(value)}") for text in texts)
        written.update(texts)
    assert set(written.values()) == {1}


def test_the_form_of_a_reference_cannot_be_told_from_the_question(questions):
    """Drawn anew from another seed, the same question gets another form about as often as chance has it."""
    first = dict(zip(questions[0]["prompt"], questions[1]["form"], strict=True))
    columns, truths, _ = question_table(1800, "train", None, SETTINGS, 8)
    pairs = [(first[p], f) for p, f in zip(columns["prompt"], truths["form"], strict=True) if p in first]
    free = [(a, b) for a, b in pairs if a != "digits" or b != "digits"]
    assert len(pairs) > 50 and sum(a != b for a, b in free) > len(free) / 3


def test_rules_know_about_half_of_the_references_and_all_of_the_control_subject(questions):
    columns, truths, _ = questions
    for subject in SUBJECTS:
        rows = [i for i, name in enumerate(columns["subject"]) if name == subject]
        for rule, low, high in (("verify", 0.42, 0.68), ("contains", 0.38, 0.66)):
            answers = [KINDS[truths["answer"][i].partition(":")[0]] for i in rows]
            plain = [kind.text(_value(truths["answer"][i])) for kind, i in zip(answers, rows, strict=True)]
            graded = [
                grade(a, columns["reference"][i], kind="text", rule=rule) for a, i in zip(plain, rows, strict=True)
            ]
            recall = sum(verdict is Verdict.EQUAL for verdict in graded) / len(rows)
            assert recall >= 0.98 if subject == CONTROL else low <= recall <= high, (subject, rule, recall)


def _value(answer: str) -> int:
    kind, _, text = answer.partition(":")
    return read_value(text, kind)


def test_demonstrations_follow_three_styles_and_a_slip_is_marked():
    table = demonstration_table(600, "demonstrations", None, SETTINGS, 7)
    assert set(table["style"]) == {"direct", "brief", "careful"}
    assert 0.15 < sum(table["noisy"]) / 600 < 0.35
    assert all(last_line(response) for response in table["response"])


def test_a_demonstration_without_a_slip_is_right():
    rng = Random(5)
    for problem, _ in zip(draw_problems(rng, "train", None, SETTINGS.level_shares), range(300), strict=False):
        response, _, noisy = demonstrate(problem, SETTINGS, rng)
        truth = truth_text(problem.kind, problem.answer)
        assert equivalent(last_line(response), truth) or noisy


def test_pairs_are_labelled_by_meaning_and_hold_no_probe():
    table, _ = pair_table(1500, "demonstrations", None, SETTINGS, 7)
    assert 0.4 < sum(table["equivalent"]) / 1500 < 0.6
    assert not set(table["answer"]) & set(PROBES) - {""}
    assert all(same for kind, same in zip(table["kind"], table["equivalent"], strict=True) if kind == "equal")
    assert not any(same for kind, same in zip(table["kind"], table["equivalent"], strict=True) if kind == "near")


def test_equal_seeds_give_equal_tables_and_others_do_not():
    assert question_table(60, "test", None, SETTINGS, 1) == question_table(60, "test", None, SETTINGS, 1)
    assert question_table(60, "test", None, SETTINGS, 1) != question_table(60, "test", None, SETTINGS, 2)


def test_bad_settings_are_named():
    with pytest.raises(ValueError, match="unknown option 'nois'"):
        read_settings({"nois": 1})
    with pytest.raises(ValueError, match="unknown subject 'chess'"):
        question_table(3, "test", ["chess"], SETTINGS, 1)
    with pytest.raises(ValueError, match="unknown region 'nowhere'"):
        question_table(3, "nowhere", None, SETTINGS, 1)
    with pytest.raises(ValueError, match="holds no 99999 questions"):
        question_table(99999, "validation", ["arithmetic"], read_settings({"level_shares": [1, 0, 0, 0, 0, 0]}), 1)
