"""avg@k, pass@k and maj@k against enumeration of every subset of the samples."""

from itertools import combinations

import pytest

from workflow_scripts.evaluation.estimators import avg_at_k, maj_at_k, pass_at_k


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
    assert maj_at_k(["7", "7", "8"], [True, True, False]) == 1.0
    assert maj_at_k(["7", "8", "8"], [True, False, False]) == 0.0
    assert maj_at_k(["7", "8"], [True, False]) == 0.5
    assert maj_at_k(["7", "8", "9"], [True, False, False]) == pytest.approx(1 / 3)
    with pytest.raises(ValueError):
        maj_at_k([], [])
