"""Rewards without a model: normalisation, soft rule, votes, content-free answers, and the rule as a reward."""

import numpy as np
import pytest

from workflow_scripts.rewards import RewardBatch, make_reward
from workflow_scripts.rewards.content import is_content_free
from workflow_scripts.rewards.jaccard import jaccard
from workflow_scripts.rewards.normalize import z_score
from workflow_scripts.rewards.votes import majority, sample_votes, tempered


def batch(responses, references):
    n = len(responses)
    return RewardBatch([str(i) for i in range(n)], ["s"] * n, ["q"] * n, responses, references)


def test_z_score_has_mean_zero_and_deviation_one_and_is_zero_for_equal_values():
    scores = z_score(np.array([0.0, 1.0, 1.0, 0.0]))
    assert scores.tolist() == [-1.0, 1.0, 1.0, -1.0]
    assert z_score(np.full(7, 0.1, dtype=np.float32)).tolist() == [0.0] * 7
    assert z_score(np.zeros(0)).shape == (0,)


def test_jaccard_of_hand_counted_sets():
    assert jaccard("red blue", "blue green") == pytest.approx(1 / 3)
    assert jaccard("the 21", "twenty-one") == 1.0
    assert jaccard("", "") == 0.0


def test_punctuation_is_content_free_unless_it_is_the_reference():
    assert is_content_free(" .:! ")
    assert not is_content_free("!", reference="!")
    assert not is_content_free("B")


def test_rule_reward_is_binary_and_uses_the_last_line():
    result = make_reward({"kind": "rule"}, None)(batch(["work\n21", "21\n22", ""], ["21"] * 3))
    assert result.values.tolist() == [1.0, 0.0, 0.0] and result.values.dtype == np.float32
    assert result.verdicts.tolist() == [True, False, False] and result.verdicts.dtype == bool


def test_soft_rule_is_the_similarity_and_its_verdict_the_threshold():
    result = make_reward({"kind": "rule", "soft": True}, None)(batch(["a\nred blue", "red", "..."], ["blue red"] * 3))
    assert result.values.tolist() == [1.0, 0.5, 0.0]
    assert result.verdicts.tolist() == [True, True, False]


def test_unknown_reward_and_ragged_batch_are_named():
    with pytest.raises(ValueError, match="reward kind: 'guess'"):
        make_reward({"kind": "guess"}, None)
    with pytest.raises(ValueError, match="unequal length"):
        RewardBatch(["1"], [], [], [], [])


def test_temperature_acts_on_the_logit():
    assert tempered(np.array([0.8]), 1.0)[0] == pytest.approx(0.8)
    assert tempered(np.array([0.8]), 2.0)[0] == pytest.approx(2 / 3)  # odds 4 become 2
    assert tempered(np.array([0.0, 1.0]), 1.0).tolist() == pytest.approx([0.0, 1.0])
    with pytest.raises(ValueError):
        tempered(np.array([0.5]), 0.0)


def test_votes_are_reproducible_independent_and_follow_the_probability():
    votes = sample_votes(0.7, 4000, 1.0, 0, "question")
    assert votes == sample_votes(0.7, 4000, 1.0, 0, "question")
    assert votes != sample_votes(0.7, 4000, 1.0, 1, "question")
    assert np.mean(votes) == pytest.approx(0.7, abs=0.03)
    assert sample_votes(1.0, 10, 1.0, 0) == [True] * 10


def test_a_tie_of_votes_counts_as_yes():
    assert majority([True, False]) and not majority([True, False, False])
    with pytest.raises(ValueError):
        majority([])
