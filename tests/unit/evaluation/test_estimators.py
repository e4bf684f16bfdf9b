"""avg@k, pass@k and maj@k against enumeration of every subset of the samples."""

from collections import Counter
from itertools import combinations

import pytest

from workflow_scripts.evaluation.estimators import avg_at_k, pass_at_k
from workflow_scripts.evaluation.majority import maj_at


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_sample(n):
    for c in range(n + 1):
        samples = [True] * c + [False] * (n - c)
        for k in range(1, n + 1):
            subsets = list(combinations(samples, k))
            assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-12)


def test_pass_at_k_of_many_samples_is_exact_at_its_ends():
    assert pass_at_k(1024, 0, 64) == 0.0 and pass_at_k(1024, 1024, 1) == 1.0
    assert pass_at_k(64, 1, 64) == 1.0 and pass_at_k(64, 1, 1) == pytest.approx(1 / 64)


@pytest.mark.parametrize("arguments", [(4, 5, 1), (4, -1, 1), (4, 2, 5), (4, 2, 0)])
def test_pass_at_k_refuses_impossible_counts(arguments):
    with pytest.raises(ValueError, match="pass@k"):
        pass_at_k(*arguments)


def test_avg_at_k():
    assert avg_at_k([True, False, False, True]) == 0.5
    with pytest.raises(ValueError):
        avg_at_k([])


def test_maj_at_k_takes_the_commonest_answer_and_splits_ties():
    assert maj_at(["7", "7", "8"], [True, True, False], [3]) == [1.0]
    assert maj_at(["7", "8", "8"], [True, False, False], [3]) == [0.0]
    assert maj_at(["7", "8"], [True, False], [2]) == [0.5]
    assert maj_at(["7", "8", "9"], [True, False, False], [3]) == pytest.approx([1 / 3])
    with pytest.raises(ValueError):
        maj_at([], [], [1])


def drawn(answers, right, k):
    """maj@k by enumerating every draw."""
    values = []
    for chosen in combinations(range(len(answers)), k):
        counts = Counter(answers[i] for i in chosen)
        best = [answer for answer, count in counts.items() if count == max(counts.values())]
        values.append(sum(right[answer] for answer in best) / len(best))
    return sum(values) / len(values)


@pytest.mark.parametrize("answers", ["a", "ab", "aabb", "aaabbc", "abcdef", "aabbccdd", "aaaabbbcd"])
def test_maj_at_k_is_the_mean_over_all_draws(answers):
    for right in ({"a": 1, "b": 0}, {"a": 0, "b": 1}, {"a": 1, "b": 1}):
        right = {answer: right.get(answer, 0) for answer in answers}
        ks = range(1, len(answers) + 1)
        found = maj_at(answers, [bool(right[answer]) for answer in answers], ks)
        assert found == pytest.approx([drawn(answers, right, k) for k in ks], abs=1e-12)


def test_maj_at_k_of_many_samples_starts_at_the_mean_and_ends_at_the_commonest():
    answers = ["right"] * 30 + ["wrong"] * 25 + [f"odd {n}" for n in range(9)]
    verdicts = [answer == "right" for answer in answers]
    found = maj_at(answers, verdicts, [1, 2, 16, 64])
    assert found[0] == pytest.approx(30 / 64) and found[1] == pytest.approx(30 / 64) and found[3] == 1.0
    assert 30 / 64 < found[2] < 1.0


def test_equal_answers_that_were_graded_apart_count_by_their_share():
    assert maj_at(["a", "a", "b"], [True, False, False], [3]) == [0.5]


@pytest.mark.parametrize("k", [0, 4])
def test_maj_at_k_refuses_impossible_draws(k):
    with pytest.raises(ValueError, match="1 <= k <= n"):
        maj_at(["a", "b", "c"], [True, False, False], [k])
