"""The update depends on the mini-batch alone: not on its cut into micro-batches, nor on a broken gradient."""

import pytest
import torch
from rl_nano import many_letters, nano_policy, nano_questions, nano_settings

from workflow_scripts.generation import make_engine
from workflow_scripts.rl.advantages import compute_advantages
from workflow_scripts.rl.batch import Rollouts
from workflow_scripts.rl.rollout import sample
from workflow_scripts.rl.update import Updater, k3

LOSSES = {
    "reinforce": {},
    "ppo_clip": {"clip_low": 0.02, "clip_high": 0.02},
    "clip_cov": {"clip_cov_ratio": 0.1, "cov_low": 0.0},
    "kl_cov": {"kl_cov_ratio": 0.2},
}


@pytest.fixture(scope="module")
def rollouts():
    """Rollouts of another policy than the one that is updated, so that ratios differ from one."""
    model, tokenizer = nano_policy()
    questions = nano_questions(tokenizer)
    engine = make_engine("inprocess", model, tokenizer)
    sampled = sample(engine, questions, list(range(8)), samples=4, max_tokens=8, temperature=1.0, seed=0)
    generation, groups = sampled.generation, torch.arange(32) // 4
    result = many_letters(sampled.reward_batch(questions))
    rewards = torch.from_numpy(result.values)
    noise = 0.1 * torch.randn(generation.mask.shape, generator=torch.Generator().manual_seed(0))
    return Rollouts(
        prompts=sampled.prompts,
        tokens=generation.tokens,
        mask=generation.mask,
        groups=groups,
        old_log_probs=generation.log_probs + noise * generation.mask,
        entropy=generation.entropy,
        rewards=rewards,
        verdicts=torch.from_numpy(result.verdicts),
        advantages=compute_advantages("grpo", rewards=rewards, groups=groups, mask=generation.mask),
        ref_log_probs=generation.log_probs - noise * generation.mask,
    )


def updated(rollouts, settings):
    """(weights, reports) after the updates of one step."""
    model, _ = nano_policy()
    reports = list(Updater(model, settings).run(rollouts, 1))
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]), reports


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("aggregation", ["token-mean", "seq-mean-token-sum", "seq-mean-token-mean"])
def test_the_cut_into_micro_batches_changes_nothing(rollouts, name, aggregation):
    """All terms are in the loss. Plain SGD shows gradients as they are: AdamW would blow rounding up."""
    start = torch.cat([parameter.detach().flatten() for parameter in nano_policy()[0].parameters()])
    loss, results = {"name": name, "options": LOSSES[name], "aggregation": aggregation}, []
    for budget in (100000, 200, 30):
        update = {"minibatches": 2, "micro_batch_tokens": budget, "entropy_coef": 0.1, "kl_coef": 0.1}
        settings = nano_settings(rollout={"prompts": 8}, update=update, loss=loss)
        model, _ = nano_policy()
        updater = Updater(model, settings)
        updater.optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        reports = list(updater.run(rollouts, 1))
        change = torch.cat([parameter.detach().flatten() for parameter in model.parameters()]) - start
        results.append((change, reports))
    for change, reports in results[1:]:
        assert float((change - results[0][0]).norm() / results[0][0].norm()) < 1e-5
        for ours, theirs in zip(reports, results[0][1], strict=True):
            assert ours.loss == pytest.approx(theirs.loss, rel=1e-4, abs=1e-6)
            assert ours.stats == pytest.approx(theirs.stats, rel=1e-4, abs=1e-5)


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
    broken = rollouts.with_advantages(rollouts.advantages.clone(), rollouts.ref_log_probs)
    broken.advantages[0, 0] = float("inf")
    model, _ = nano_policy()
    before = model.lm_head.weight.detach().clone()
    updater = Updater(model, nano_settings(rollout={"prompts": 8}))
    updates = updater.run(broken, 1)
    assert next(updates).skipped and torch.equal(model.lm_head.weight, before) and not updater.optimizer.state
    assert not next(updates).skipped and not torch.equal(model.lm_head.weight, before)


def test_gradient_norm_is_bounded(rollouts):
    """With SGD the step is the clipped gradient: its length is at most `max_grad_norm`."""
    model, _ = nano_policy()
    settings = nano_settings(rollout={"prompts": 8}, update={"minibatches": 1, "max_grad_norm": 0.01})
    updater = Updater(model, settings)
    updater.optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    before = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    report = next(updater.run(rollouts, 1))
    change = torch.cat([parameter.detach().flatten() for parameter in model.parameters()]) - before
    # the learning rate of the settings is written into any optimiser
    assert report.grad_norm > 0.01 and float(change.norm()) == pytest.approx(0.01 * 1e-3, rel=1e-2)


def test_warm_up_counts_updates_over_the_whole_run():
    updater = Updater(nano_policy()[0], nano_settings(update={"lr": 1.0, "warmup": 4}))
    assert [updater.learning_rate(number) for number in (1, 2, 4, 5, 9)] == [0.25, 0.5, 1.0, 1.0, 1.0]


def test_k3_estimates_the_divergence():
    """It is positive, zero at equality, and its mean under the policy is the divergence."""
    policy, reference = torch.tensor([0.2, 0.5, 0.3]), torch.tensor([0.4, 0.4, 0.2])
    values = k3(policy.log(), reference.log())
    assert (values > 0).all() and k3(policy.log(), policy.log()).abs().max() == 0
    divergence = (policy * (policy / reference).log()).sum()
    assert float((policy * values).sum()) == pytest.approx(float(divergence), rel=1e-6)
