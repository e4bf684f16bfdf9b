"""The update depends on the mini-batch alone: not on its cut into micro-batches, nor on a broken gradient."""

import pytest
import torch

from tests.rl_nano import nano_policy, nano_rollouts, nano_settings
from workflow_scripts.rl.backends.single import Single
from workflow_scripts.rl.batch import for_ranks, micro_batches
from workflow_scripts.rl.losses import loss_aggregations
from workflow_scripts.rl.update import Updater

LOSSES = {
    "gspo": {"clip_low": 0.02, "clip_high": 0.02},
    "cispo": {"clip_low": 0.02, "clip_high": 0.02},
    "cw_grpo": {},
    "entropy_mask": {},
    "reinforce": {},
    "ppo_clip": {"clip_low": 0.02, "clip_high": 0.02},
    "clip_cov": {"clip_cov_ratio": 0.1, "cov_low": 0.0},
    "kl_cov": {"kl_cov_ratio": 0.2},
}


@pytest.fixture(scope="module")
def rollouts():
    return nano_rollouts()


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def updated(rollouts, settings, sgd=None):
    """(change of the weights, reports) of the updates of one step; `sgd`: plain steps of that rate."""
    model, _ = nano_policy()
    before, backend = weights(model).clone(), Single(model, settings.update)
    if sgd:  # shows gradients as they are, where AdamW would blow rounding up
        backend.optimizer = torch.optim.SGD(model.parameters(), lr=sgd)
    reports = list(Updater(backend, settings).run(rollouts, 1))
    return weights(model) - before, reports


@pytest.mark.parametrize(("name", "aggregation"), [(n, a) for n in LOSSES for a in loss_aggregations(n)])
def test_the_cut_into_micro_batches_changes_nothing(rollouts, name, aggregation):
    """All terms are in the loss."""
    loss, results = {"name": name, "options": LOSSES[name], "aggregation": aggregation}, []
    for budget in (100000, 200, 30):
        update = {"minibatches": 2, "micro_batch_tokens": budget, "entropy_coef": 0.1, "kl_coef": 0.1, "lr": 1.0}
        results.append(updated(rollouts, nano_settings(rollout={"prompts": 8}, update=update, loss=loss), sgd=1.0))
    for change, reports in results[1:]:
        assert float((change - results[0][0]).norm() / results[0][0].norm()) < 1e-5
        for ours, theirs in zip(reports, results[0][1], strict=True):
            assert ours.loss == pytest.approx(theirs.loss, rel=1e-4, abs=1e-6)
            assert ours.stats == pytest.approx(theirs.stats, rel=1e-4, abs=1e-5)


def test_packed_micro_batches_change_nothing(rollouts):
    results = []
    for packing, budget in ((False, 100000), (True, 100000), (True, 60)):
        update = {"minibatches": 2, "micro_batch_tokens": budget, "packing": packing, "lr": 1.0}
        results.append(updated(rollouts, nano_settings(rollout={"prompts": 8}, update=update), sgd=1.0)[0])
    for change in results[1:]:
        assert float((change - results[0]).norm() / results[0].norm()) < 1e-5


def test_published_weighting_is_a_mean_of_micro_batch_means(rollouts):
    """[E]'s code: each micro-batch's token mean, weighted by its share of the mini-batch's responses."""
    update = {"minibatches": 1, "micro_batch_tokens": 60}
    settings = nano_settings(rollout={"prompts": 8}, update=update, loss={"normalization": "micro_batch"})
    (report,) = updated(rollouts, settings)[1]
    expected = 0.0
    for rows in micro_batches(rollouts.sizes(), 60):
        part = rollouts.take(rows)  # on-policy: the ratio is one and the loss -A
        expected -= float(part.advantages[part.mask].mean()) * len(rows) / len(rollouts)
    assert report.loss == pytest.approx(expected, rel=1e-4)
    whole = updated(rollouts, nano_settings(rollout={"prompts": 8}, update=update))[1][0]
    assert abs(whole.loss - report.loss) > 1e-4  # the lengths differ, so the two are not the same


def test_micro_batch_scope_selects_per_micro_batch(rollouts):
    """As published: at least one token per micro-batch, so small micro-batches penalise more tokens."""
    counts = {}
    for scope in ("mini_batch", "micro_batch"):
        loss = {"name": "kl_cov", "options": {"kl_cov_ratio": 1e-4}, "scope": scope}
        settings = nano_settings(rollout={"prompts": 8}, update={"minibatches": 2, "micro_batch_tokens": 60}, loss=loss)
        counts[scope] = [report.stats["selected"] for report in updated(rollouts, settings)[1]]
    assert counts["mini_batch"] == [1, 1] and min(counts["micro_batch"]) > 2


def test_first_update_is_exactly_on_policy(rollouts):
    """Its ratio is one whatever the engine's rounding: no KL, nothing clipped; later updates have both."""
    settings = nano_settings(
        rollout={"prompts": 8}, update={"lr": 1e-2}, loss={"options": {"clip_low": 0.02, "clip_high": 0.02}}
    )
    first, second = (report.stats for report in updated(rollouts, settings)[1])
    assert first["abs_kl_sum"] == 0 and first["clipped"] == 0
    assert second["abs_kl_sum"] > 0 and second["clipped"] > 0


def test_non_finite_gradients_are_skipped(rollouts):
    """An infinite advantage in the first mini-batch leaves weights and moments alone; the second one updates."""
    broken = rollouts.replace(advantages=rollouts.advantages.clone())
    broken.advantages[0, 0] = float("inf")
    model, _ = nano_policy()
    before, settings = weights(model).clone(), nano_settings(rollout={"prompts": 8})
    backend = Single(model, settings.update)
    updates = Updater(backend, settings).run(broken, 1)
    assert next(updates).skipped and torch.equal(weights(model), before) and not backend.optimizer.state
    assert not next(updates).skipped and not torch.equal(weights(model), before) and backend.updates == 1


def test_gradient_norm_is_bounded(rollouts):
    """With SGD the step is the clipped gradient: its length is at most `max_grad_norm`."""
    settings = nano_settings(rollout={"prompts": 8}, update={"minibatches": 1, "max_grad_norm": 0.01, "lr": 1.0})
    change, (report,) = updated(rollouts, settings, sgd=1.0)
    assert report.grad_norm > 0.01 and float(change.norm()) == pytest.approx(0.01, rel=1e-2)


def test_bfloat16_passes_leave_weights_in_single_precision(rollouts):
    """The update points where the fp32 one does, and weights and moments stay fp32."""
    model, _ = nano_policy()
    settings = nano_settings(rollout={"prompts": 8}, update={"precision": "bfloat16", "lr": 1.0})
    changes = [updated(rollouts, nano_settings(rollout={"prompts": 8}, update={"lr": 1.0}), sgd=1.0)[0]]
    changes.append(updated(rollouts, settings, sgd=1.0)[0])
    assert float(torch.nn.functional.cosine_similarity(*changes, dim=0)) > 0.99 and not torch.equal(*changes)
    backend = Single(model, settings.update)
    list(Updater(backend, settings).run(rollouts, 1))
    assert {tensor.dtype for _, tensors in backend.state() for tensor in tensors.values()} == {torch.float32}


def test_schedules_count_updates_over_the_whole_run():
    def rates(numbers, **update):
        settings = nano_settings(steps=5, update={"lr": 1.0, "minibatches": 2, **update})
        return [Updater(None, settings).learning_rate(number) for number in numbers]

    assert rates((1, 2, 4, 5, 10), warmup=4) == [0.25, 0.5, 1.0, 1.0, 1.0]
    assert rates((1, 2, 6, 10), warmup=2, schedule="linear") == pytest.approx([0.5, 1.0, 0.5, 0.0])
    assert rates((6, 10), warmup=2, schedule="cosine", min_lr_ratio=0.1) == pytest.approx([0.55, 0.1])


@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_get_equally_many_micro_batches_and_lose_no_row(world):
    for count in range(1, 9):
        batches = [[3 * n, 3 * n + 1, 3 * n + 2] for n in range(count)]
        dealt = for_ranks(batches, world)
        assert len(dealt) == world and len({len(part) for part in dealt}) == 1
        assert sorted(row for part in dealt for rows in part for row in rows) == list(range(3 * count))
        assert all(rows for part in dealt for rows in part)  # there were rows enough for all
    assert for_ranks([[5]], 2) == [[[5]], [[]]]
