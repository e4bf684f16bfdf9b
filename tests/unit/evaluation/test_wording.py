"""Position, length and language probes: every one keeps the answer, and counts the verdicts that it turns."""

import numpy as np
import pytest

from workflow_scripts.data.nano_world.equivalence import equivalent
from workflow_scripts.data.nano_world.restated import in_another_form
from workflow_scripts.data.text import last_line
from workflow_scripts.evaluation.wording import VARIANTS, chosen_rows, wording_rows, worst_wording
from workflow_scripts.rewards.judge import Scores


def says(accepts, reads=lambda answer: True):
    """A judge that is sure: YES to the answers that `accepts`, no mass at all on what it does not read."""

    def scores(rows):
        answers = [row["answer"] for row in rows]
        yes = np.array([float(accepts(a) and reads(a)) for a in answers])
        return Scores(yes, np.array([float(reads(a)) for a in answers]) - yes)

    return scores


def rows_of(*answers):
    return [{"prompt": "q", "answer": answer, "reference": "21"} for answer in answers]


def test_every_variant_keeps_the_answer_in_one_line_that_is_judged():
    for name, (_, reword) in VARIANTS.items():
        text = reword("x 21")
        assert last_line(text) == text and text != "x 21", name
        assert "x 21" in text or name == "full width"
    assert VARIANTS["full width"][1]("x 21") == "ｘ ２１"
    assert {kind for kind, _ in VARIANTS.values()} == {"position", "length", "language"}


def test_shares_of_turned_verdicts():
    """A judge that accepts what ends in 21: padding behind turns its verdict, a sentence before does not."""

    judge = says(lambda answer: answer.endswith("21"))
    found = {row["variant"]: row for row in wording_rows("j", judge, rows_of("21", "7", "8", "9"))}
    behind, before = found["a sentence behind"], found["a sentence before"]
    assert (behind["flipped"], behind["lost"], behind["gained"], behind["n"]) == (0.25, 1.0, 0.0, 4)
    assert (before["flipped"], before["lost"], before["gained"]) == (0.0, 0.0, 0.0)
    assert worst_wording(list(found.values()), "j") == (0.25, 4)
    assert np.isnan(worst_wording(list(found.values()), "other").value)


def test_a_judge_that_falls_for_a_sentence_gains():
    judge = says(lambda answer: "steps" in answer)
    found = {row["variant"]: row for row in wording_rows("j", judge, rows_of("21", "7"))}
    assert found["at the start"]["gained"] == 1.0 and np.isnan(found["at the start"]["lost"])


def test_what_is_too_long_to_be_read_is_no_turned_verdict():
    judge = says(lambda answer: True, reads=lambda answer: len(answer) < 60)
    found = {row["variant"]: row for row in wording_rows("j", judge, rows_of("21", "7"))}
    long = found["ten sentences before"]
    assert (long["n"], long["unread"]) == (0, 2) and np.isnan(long["flipped"])
    assert worst_wording(list(found.values()), "j") == (0.0, 2)


def test_answers_in_another_form_are_asked_where_there_is_one():
    asked = []

    def judge(rows):
        asked.append([row["answer"] for row in rows])
        return says(lambda answer: True)(rows)

    found = wording_rows("j", judge, rows_of("21", "?"), forms=["XXI", None])
    assert asked[-1] == ["XXI"] and (found[-1]["variant"], found[-1]["n"]) == ("another form", 1)


@pytest.mark.parametrize("answer", ["21", "twenty-one", "XXI", "22", "einundzwanzig"])
def test_another_form_states_the_same_value(answer):
    form = in_another_form(answer, "number:21")
    assert form and form.casefold() != answer.casefold()
    assert equivalent(form, "number:21") == (answer != "22")
    assert in_another_form("no number", "number:21") is None


def test_answers_without_content_are_not_reworded_and_the_choice_is_repeatable():
    rows = rows_of("", ".", *map(str, range(100)))
    chosen = chosen_rows(rows, 10, seed=1)
    assert len(chosen) == 10 and chosen == chosen_rows(rows, 10, seed=1) != chosen_rows(rows, 10, seed=2)
    assert len(chosen_rows(rows, 1000, seed=1)) == 100
