"""Pairs made from questions: their verdicts are true, no kind is missing, splits share no question, seeds decide."""

from collections import Counter
from random import Random

import pytest

from workflow_scripts.data import verdict_pairs
from workflow_scripts.data.sources.pairs import make_tables
from workflow_scripts.data.verdict_pairs import SHARES, make_pair, pairs_of
from workflow_scripts.evaluation.probes import is_probe
from workflow_scripts.rewards.rule import Verdict, grade

NUMBERS = [("sums", f"What is {n} + 17, as Bob asked Ann on day {n % 7}?", str(n + 17)) for n in range(60)]
WORDS = [("days", f"Which day is {n} days after Sunday?", day) for n, day in enumerate(("Monday", "Tuesday", "Friday"))]
LISTS = [("sorted", f"Sort {n}, 3 and 1.", f"['1', '3', '{n}']") for n in range(4, 20)]
QUESTIONS = [*NUMBERS, *WORDS, *LISTS]


def test_what_is_called_equal_is_so_by_the_rule_and_what_is_not_differs(monkeypatch):
    """Around the bare value, of which the rule is sure; number words and signs are within its reach."""
    monkeypatch.setattr(verdict_pairs, "FRAMES", ("{}", "The answer is {}."))
    for questions, grading in ((NUMBERS, "math"), (WORDS, "text")):
        found = [(question[2], *pair) for question, pair in pairs_of(questions, 6 * len(questions), Random(0))]
        for reference, answer, equal, kind in found:
            if kind != "malformed":
                accepted = grade(answer, reference, kind=grading) is Verdict.EQUAL
                assert accepted == equal, (answer, reference, kind)


def test_the_kinds_have_their_shares_and_no_probe_of_the_audit_is_among_the_answers():
    found = [pair for _, pair in pairs_of(QUESTIONS, 3000, Random(1))]
    kinds = Counter(kind for _, _, kind in found)
    assert kinds.keys() == SHARES.keys()
    assert 0.47 < kinds["equal"] / len(found) < 0.53
    assert all(equal == (kind == "equal") for _, equal, kind in found)
    assert not [answer for answer, _, _ in found if is_probe(answer)]
    assert not [answer for answer, _, _ in found if not answer.strip()]


def test_a_question_is_never_answered_wrongly_by_its_own_reference():
    """Of another question, or a number of its own: where it is the same, there is no such pair."""
    same = ("sums", "What is 4 + 0?", "4")
    for seed in range(100):
        assert make_pair(same, "other", ["4", "4"], Random(seed)) is None
        pair = make_pair(same, "trace", ["4"], Random(seed))
        assert pair is None or "0" in pair[0]


def config(**splits):
    return {"dataset": "pairs", "source": {"kind": "pairs"}, "splits": splits, "seed": 0}


def test_splits_are_made_from_the_questions_of_their_source():
    two = config(train={"rows": 300, "source": "a"}, validation={"rows": 50, "source": "b", "subjects": ["days"]})
    tables = make_tables(two, {"a": NUMBERS, "b": QUESTIONS})
    (name, train, _), (other, validation, _) = tables.files
    assert (name, other) == ("train.parquet", "validation.parquet")
    assert len(set(zip(train["prompt"], train["answer"], strict=True))) == 300 == len(set(train["pair_id"]))
    assert set(validation["subject"]) == {"days"} and not set(train["prompt"]) & set(validation["prompt"])
    assert tables.counts["train.equivalent"] == sum(train["equivalent"])
    assert make_tables(two, {"a": NUMBERS, "b": QUESTIONS}).files == tables.files
    assert make_tables(two | {"seed": 1}, {"a": NUMBERS, "b": QUESTIONS}).files != tables.files


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({"rows": None, "source": "a"}, "split 'train': pairs need a number of rows"),
        ({"rows": 9, "source": "a", "subjects": ["law"]}, "split 'train': split 'a' has no questions of law"),
        ({"rows": 10**5, "source": "a"}, "3 questions hold no 100000 pairs: those of kind"),
    ],
)
def test_a_bad_split_is_named(split, message):
    with pytest.raises(ValueError, match=message):
        make_tables(config(train=split), {"a": WORDS})
