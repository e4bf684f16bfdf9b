"""Sharing prompts, sorting by length, padding and cutting into passes change nothing but the time."""

import copy

import pytest
import torch

from tests.rl_nano import nano_policy
from workflow_scripts.rl.forward import like_lengths
from workflow_scripts.rl.policy import Policy, all_log_probs

LENGTHS = [5, 1, 8, 3, 0, 8, 2]
PROMPTS = [[9, 8, 7], [9, 8, 7], [5], [20, 21, 22, 23], [5], [9, 8, 7], [20, 21, 22, 23]]


@pytest.fixture(scope="module")
def case():
    model, _ = nano_policy()
    tokens = torch.randint(0, model.config.vocab_size, (7, 8), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(8) < torch.tensor(LENGTHS)[:, None]
    return model.double(), tokens, mask


def row_by_row(model, tokens, temperature):
    """Each sequence alone, full logits, no cache: what the batch must reproduce."""
    log_probs, entropy = torch.zeros(7, 8).double(), torch.zeros(7, 8).double()
    for row, (prompt, length) in enumerate(zip(PROMPTS, LENGTHS, strict=True)):
        sequence = torch.tensor([prompt + tokens[row, :length].tolist()])
        distribution = torch.log_softmax(model(input_ids=sequence).logits[0] / temperature, dim=-1)
        for t in range(length):
            at = distribution[len(prompt) + t - 1]
            log_probs[row, t], entropy[row, t] = at[tokens[row, t]], -(at.exp() * at).sum()
    return log_probs, entropy


WAYS = {
    "shared": {},
    "padded": {"share_prompts": False},
    "packed": {"packing": True},
    "recomputed": {"activation_checkpointing": True},
    "packed and recomputed": {"packing": True, "activation_checkpointing": True},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_equals_one_sequence_at_a_time(case, temperature, way):
    model, tokens, mask = copy.deepcopy(case)
    policy = Policy(model, **WAYS[way])
    results = []
    for compute in (
        lambda: row_by_row(model, tokens, temperature),
        lambda: policy(PROMPTS, tokens, mask, temperature),
    ):
        model.zero_grad()
        log_probs, entropy = compute()
        weights = torch.linspace(-1, 1, 56).reshape(7, 8).double()
        ((log_probs * weights + entropy * weights.flip(0)) * mask).sum().backward()
        results.append((log_probs.detach(), entropy.detach(), [p.grad.clone() for p in model.parameters()]))
    # the norms and rotations of the model compute in single precision whatever its own
    torch.testing.assert_close(results[1][:2], results[0][:2], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(results[1][2], results[0][2], rtol=1e-4, atol=2e-6)
    assert results[1][0][~mask].abs().sum() == 0


@pytest.mark.parametrize("budget", [1, 20, 1000])
def test_micro_batches_change_nothing(case, budget):
    model, tokens, mask = case
    expected = [value.detach().float() for value in Policy(model)(PROMPTS, tokens, mask)]
    for ours, theirs in zip(all_log_probs(Policy(model), PROMPTS, tokens, mask, budget=budget), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_passes_are_cut_where_padding_costs_more_than_a_pass():
    assert like_lengths([4, 0, 4, 3]) == [[0, 2, 3]]  # one pass: little padding; a row without tokens is left out
    assert like_lengths([2] * 100 + [30] * 100) == [list(range(100)), list(range(100, 200))]
    assert like_lengths([0, 0]) == []
