"""Filtering, cutting, ordering and measuring of a rollout batch."""

import math

import pytest
import torch

from workflow_scripts.rl.batch import micro_batches, mixed_groups, packed_micro_batches, split_evenly
from workflow_scripts.rl.measures import covariance_profile, response_entropy, token_entropy
from workflow_scripts.rl.sampler import PromptSampler
from workflow_scripts.rl.seeds import derive_seed


def test_only_groups_with_mixed_verdicts_stay():
    verdicts = torch.tensor([True, True, False, False, True, False, True])
    groups = torch.tensor([3, 3, 1, 1, 8, 8, 5])
    assert mixed_groups(verdicts, groups).tolist() == [False, False, False, False, True, True, False]


def test_parts_are_even_and_lose_no_row():
    assert split_evenly(list(range(7)), 3) == [[0, 1, 2], [3, 4], [5, 6]]
    assert split_evenly([4, 5], 4) == [[4], [5]]
    assert split_evenly([], 4) == []


@pytest.mark.parametrize("budget", [1, 10, 25, 1000])
def test_micro_batches_keep_the_budget(budget):
    sizes = [3, 9, 1, 4, 4, 12, 7]
    batches = micro_batches(sizes, budget)
    assert sorted(row for batch in batches for row in batch) == list(range(7))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(sizes[row] for row in batch) <= budget


@pytest.mark.parametrize("sizes", [[5] * 12, [30, 1, 1, 1, 28, 2, 9, 9, 14], [70, 3, 3, 50, 60], [7]])
def test_packed_micro_batches_keep_the_budget_and_are_balanced(sizes):
    budget = 40
    batches = packed_micro_batches(sizes, budget)
    assert sorted(row for rows in batches for row in rows) == list(range(len(sizes)))
    totals = [sum(sizes[row] for row in rows) for rows in batches]
    assert all(total <= budget or len(rows) == 1 for rows, total in zip(batches, totals, strict=True))
    assert max(totals) - min(totals) <= max(sizes)
    assert sum(totals) > budget * (len(batches) // 2)  # few: two of them rarely fit into one


def test_every_epoch_asks_every_question_once():
    sampler = PromptSampler(questions=12, prompts=4, seed=1)
    epochs = [[index for step in range(e * 3 + 1, e * 3 + 4) for index in sampler.batch(step)] for e in range(2)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs) and epochs[0] != epochs[1]
    assert PromptSampler(12, 4, 1).batch(5) == sampler.batch(5) != PromptSampler(12, 4, 2).batch(5)
    with pytest.raises(ValueError, match="only 3 questions"):
        PromptSampler(3, 4, 0)


def test_seeds_depend_on_every_part():
    assert derive_seed(0, "rollout", 1) == derive_seed(0, "rollout", 1) < 2**63
    assert len({derive_seed(*parts) for parts in ((0, "a", 1), (0, "a", 2), (1, "a", 1), (0, "b", 1), (0, "a"))}) == 5


def test_entropy_weighs_responses_alike_or_tokens_alike():
    entropy = torch.tensor([[1.0, 3.0, math.nan], [5.0, math.nan, math.nan], [math.nan] * 3])
    mask = torch.tensor([[True, True, False], [True, False, False], [False] * 3])
    clean = torch.where(mask, entropy, 0)
    assert response_entropy(clean, mask) == pytest.approx((2 + 5) / 2)
    assert token_entropy(entropy, mask) == pytest.approx(3)
    assert response_entropy(clean[2:], mask[2:]) is None


def test_covariance_profile_is_the_mean_of_the_largest():
    generator = torch.Generator().manual_seed(0)
    log_probs, advantages = -torch.rand(10, 50, generator=generator), torch.randn(10, 50, generator=generator)
    mask = torch.rand(10, 50, generator=generator) < 0.8
    a, x = advantages[mask].double(), log_probs[mask].double()
    ordered = sorted(((a - a.mean()) * (x - x.mean())).tolist(), reverse=True)
    profile = covariance_profile(log_probs, advantages, mask)
    for name, share in (("cov_top_002", 0.0002), ("cov_top_2", 0.02), ("cov_top_50", 0.5), ("cov_all", 1.0)):
        count = max(1, int(share * len(ordered)))
        assert profile[name] == pytest.approx(sum(ordered[:count]) / count, rel=1e-4, abs=1e-6)
    assert set(covariance_profile(log_probs, advantages, torch.zeros(10, 50).bool()).values()) == {None}
