"""Selections and weights over the whole mini-batch, and over each micro-batch as published."""

import pytest
import torch
from losses_by_loop import CASES, OPTIONS, loss_and_gradient, published_input, random_input, seeded

from workflow_scripts.rl.losses import LOSSES, mini_batch_statistics, selects_tokens
from workflow_scripts.rl.losses.aggregation import normalizer_of

COMPARING = [name for name in LOSSES if selects_tokens(name)]


def statistics_of(name, inputs, seed=0):
    return mini_batch_statistics(name, **inputs, options=OPTIONS[name], generator=seeded(seed))


def test_which_losses_compare_tokens():
    assert COMPARING == ["clip_cov", "kl_cov", "cw_grpo", "entropy_mask"]
    assert all(statistics_of(name, published_input()) is None for name in set(LOSSES) - set(COMPARING))


@pytest.mark.parametrize(("name", "aggregation"), [case for case in CASES if case[0] in COMPARING])
def test_one_micro_batch_per_mini_batch_is_the_published_loss(name, aggregation):
    """Then both scopes see the same tokens: equal to the last bit."""
    inputs, results = published_input(), []
    for statistics in (None, statistics_of(name, inputs)):
        results.append(
            loss_and_gradient(
                name, inputs, options=OPTIONS[name], aggregation=aggregation, statistics=statistics, generator=seeded()
            )
        )
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])
    assert results[0][2] == results[1][2]


@pytest.mark.parametrize(("name", "aggregation"), CASES)
@pytest.mark.parametrize(
    "cut", [[[0, 1, 2, 3, 4, 5]], [[0, 1, 2], [3, 4, 5]], [[4], [0, 3, 5], [1, 2]], [[5], [4], [3], [2], [1], [0]]]
)
def test_the_cut_changes_nothing(name, aggregation, cut):
    """With the mini-batch's statistics and count: value, gradient and stats of the parts, each no wider than its
    longest row, add up to those of the whole. One part here is a row without tokens."""
    inputs = random_input(5)
    whole = loss_and_gradient(name, inputs, options=OPTIONS[name], aggregation=aggregation, generator=seeded())
    statistics, total, merged = statistics_of(name, inputs), 0.0, {}
    gradient = torch.zeros_like(inputs["log_probs"])
    for rows in cut:
        width = int((torch.arange(1, 12) * inputs["mask"][rows]).max())
        value, grad, stats = loss_and_gradient(
            name,
            {key: tensor[rows, :width] for key, tensor in inputs.items()},
            options=OPTIONS[name],
            aggregation=aggregation,
            normalizer=normalizer_of(inputs["mask"], aggregation),
            statistics=statistics.rows(rows, width) if statistics else None,
        )
        total += value.item()
        gradient[rows, :width] = grad
        merged = {key: merged.get(key, 0) + stats[key].item() for key in stats}
    assert total == pytest.approx(whole[0].item(), rel=1e-12)
    torch.testing.assert_close(gradient, whole[1], rtol=1e-12, atol=1e-15)
    assert merged == pytest.approx({key: value.item() for key, value in whole[2].items()}, rel=1e-12)


@pytest.mark.parametrize("name", COMPARING)
def test_micro_batch_scope_does_depend_on_the_cut(name):
    """Else the test above would show nothing."""
    inputs = random_input(5)
    whole = loss_and_gradient(name, inputs, options=OPTIONS[name], generator=seeded())
    gradient = torch.zeros_like(inputs["log_probs"])
    for rows in ([0, 1, 2], [3, 4, 5]):
        part = {key: tensor[rows] for key, tensor in inputs.items()}
        gradient[rows] = loss_and_gradient(
            name,
            part,
            options=OPTIONS[name],
            generator=seeded(),
            normalizer=normalizer_of(inputs["mask"], "token-mean"),
        )[1]
    assert (gradient - whole[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", COMPARING)
def test_statistics_ignore_padding_and_carry_no_gradient(name):
    """NaN under the mask of any input changes nothing; nothing found depends on the graph of its inputs."""
    clean, dirty = published_input(), published_input()
    for key in ("log_probs", "old_log_probs", "advantages", "entropy"):
        dirty[key] = dirty[key].masked_fill(clean["mask"] == 0, float("nan")).requires_grad_()
    ours, theirs = statistics_of(name, clean), statistics_of(name, dirty)
    for field in ("mean_advantage", "mean_log_prob", "selected", "weights"):
        found = getattr(theirs, field)
        assert found is None and getattr(ours, field) is None or torch.equal(found, getattr(ours, field))
        assert found is None or not found.requires_grad


@pytest.mark.parametrize("name", COMPARING)
def test_empty_mini_batch(name):
    inputs = published_input() | {"mask": torch.zeros(4, 64)}
    found = statistics_of(name, inputs)
    assert (found.selected if found.weights is None else found.weights).sum() == 0
    assert found.mean_advantage == 0 and found.mean_log_prob == 0
