"""Graders of sampled answers, each through the registry, and what counts as no answer."""

from importlib import import_module

import numpy as np
import pytest

from workflow_scripts.evaluation.graders import GRADERS
from workflow_scripts.evaluation.no_answer import has_no_answer
from workflow_scripts.rewards.judge import Scores
from workflow_scripts.rewards.votes import sample_votes

SETTINGS = {"grading": "text", "votes": 1, "vote_temperature": 0, "seed": 0}


def rows(*answers: str, reference: str = "21") -> list[dict]:
    given = {"benchmark": "b", "prompt": "p", "reference": reference, "truth": "number:21"}
    return [
        given | {"question_id": f"q{n // 4}", "sample": n % 4, "response": f"so\n{text}", "answer": text}
        for n, text in enumerate(answers)
    ]


def grade(name: str, answers: list[dict], teacher=None, **settings) -> dict[str, list]:
    return import_module(GRADERS[name]).grade(answers, SETTINGS | settings, teacher)


class Opinion:
    """A judge whose P(YES) is a number in the answer's text; it notes what it was asked."""

    def __init__(self):
        self.asked: list[tuple[str, str, str]] = []

    def score(self, questions, answers, references) -> Scores:
        self.asked += zip(questions, answers, references, strict=True)
        yes = np.array([float(answer.removeprefix("p=")) for answer in answers])
        return Scores(yes, 1 - yes)


def test_rules_and_truth_agree_where_they_can():
    answers = rows("21", "twenty-one", "the 21st of May", "22")
    assert grade("truth", answers)["truth"] == [True, True, False, False]
    assert grade("rule", answers)["rule"] == [True, True, False, False]
    assert grade("rule", answers)["rule_verdict"][:1] == ["equal"]
    assert grade("contains", answers)["contains"] == [True, False, True, False]


def test_the_teacher_is_asked_about_the_last_line_once_for_all_answers():
    judge = Opinion()
    graded = grade("teacher", rows("p=0.9", "p=0.5", "p=0.4", ""), lambda: judge)
    assert graded["teacher"] == [True, True, False, False]  # a tie is right, an empty line is not asked about
    np.testing.assert_allclose(graded["teacher_p_yes"], [0.9, 0.5, 0.4, 0])
    distilled = grade("judge", rows("p=0.9", "p=0.5", "p=0.4", ""), Opinion)
    assert distilled["judge"] == graded["teacher"] and distilled["judge_p_yes"] == graded["teacher_p_yes"]
    assert judge.asked == [("p", f"p={p}", "21") for p in (0.9, 0.5, 0.4)]


@pytest.mark.parametrize("votes", [1, 4, 5])
def test_the_majority_of_sampled_votes_decides_and_a_tie_is_right(votes):
    answers = rows(*["p=0.5"] * 400, "")
    graded = grade("teacher", answers, Opinion, votes=votes, vote_temperature=1.0)["teacher"]
    for row, verdict in zip(answers[:-1], graded, strict=False):
        drawn = sample_votes(0.5, votes, 1.0, 0, "b", row["question_id"], row["sample"])
        assert verdict == (2 * sum(drawn) >= votes)
    assert graded[-1] is False
    expected = {1: 1 / 2, 4: 11 / 16, 5: 1 / 2}[votes]  # P(Binomial(m, 1/2) >= m/2)
    assert abs(np.mean(graded[:-1]) - expected) < 4 * np.sqrt(0.25 / 400)


def test_votes_of_other_seeds_are_other_votes():
    verdicts = [
        grade("teacher", rows(*["p=0.5"] * 64), Opinion, vote_temperature=1.0, seed=seed)["teacher"]
        for seed in (0, 0, 1)
    ]
    assert verdicts[0] == verdicts[1] != verdicts[2]


def test_nothing_is_loaded_for_a_rule():
    def teacher():
        raise AssertionError("the teacher was loaded")

    for name in ("truth", "rule", "contains"):
        grade(name, rows("21"), teacher)


@pytest.mark.parametrize(
    ("template", "response", "missing"),
    [
        ("policy_boxed", r"so \boxed{4}", False),
        ("policy_boxed", r"first \boxed{4}, then 5", False),
        ("policy_boxed", "so it is 4", True),
        ("policy_boxed", r"cut off in \boxed{4", True),
        ("policy_boxed", r"\boxed{ }", True),
        ("policy_answer_is", "Therefore, the answer is 4", False),
        ("policy_answer_is", "Therefore, the answer is:\n$4$", False),
        ("policy_answer_is", "Therefore, the answer is", True),
        ("policy_answer_is", "the answer is 4, no, the answer is:", True),
        ("policy_answer_is", "4", True),
        ("policy_nano", "x\n4\n\n", False),
        ("policy_nano", " \n", True),
    ],
)
def test_no_answer_is_what_the_prompt_asked_for_and_did_not_get(template, response, missing):
    assert has_no_answer(template)(response) is missing
