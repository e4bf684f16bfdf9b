"""A run is a pure function of its settings, and a resumed run is the uninterrupted one, bit for bit."""

import itertools
import math
import time

import numpy as np
import pytest
import torch

from tests.rl_nano import many_letters, nano_policy, nano_questions, nano_settings
from workflow_scripts.artifacts import Stage, StageError
from workflow_scripts.artifacts.workdir import WorkDir
from workflow_scripts.rewards import RewardResult
from workflow_scripts.rl.measures import response_entropy
from workflow_scripts.rl.policy import Policy, all_log_probs
from workflow_scripts.rl.settings import ValidationSettings
from workflow_scripts.rl.shaping import overlong_penalty
from workflow_scripts.rl.trainer import Trainer
from workflow_scripts.rl.validation import Validator


def make_trainer(folder, settings, reward=many_letters, seed=0, **extra):
    work = WorkDir(folder, "train_policy", "nano-0000000000")
    work.start()
    model, tokenizer = nano_policy(seed)
    questions = nano_questions(tokenizer)
    validation = ValidationSettings(split="validation", every=2, questions=6, samples=2)
    return Trainer(
        model=model,
        tokenizer=tokenizer,
        questions=questions,
        settings=settings,
        reward=reward,
        stage=Stage({}, {}, work, extra.pop("deadline", None), checkpoint_every=extra.pop("checkpoint_every", 1000)),
        validator=Validator(questions, validation, max_tokens=8, rule=many_letters),
        keep_steps=range(1, settings.steps + 1),
        **extra,
    )


def outcome(trainer, history):
    weights = {name: value.clone() for name, value in trainer.backend.rollout_model.state_dict().items()}
    return weights, history.metrics, history.validation, history.rollouts


def assert_same(one, two):
    assert one[0].keys() == two[0].keys()
    assert all(torch.equal(one[0][name], two[0][name]) for name in one[0])
    assert repr(one[1:]) == repr(two[1:])  # repr: NaN equals NaN, and floats are compared to the last bit


VARIANTS = {
    "ppo": {},
    "kl_cov": {"loss": {"name": "kl_cov", "options": {"kl_cov_ratio": 0.2}}},
    "clip_cov": {"loss": {"name": "clip_cov", "options": {"clip_cov_ratio": 0.1, "cov_low": 0.01}}},
    "small micro-batches": {
        "loss": {"name": "clip_cov", "options": {"clip_cov_ratio": 0.1, "cov_low": 0.01}},
        "update": {"micro_batch_tokens": 60, "entropy_coef": 0.01},
    },
    "state beyond the weights": {  # number of batches and adaptive coefficient
        "rollout": {"max_batches": 4, "overlong_buffer": 4},
        "update": {"entropy_target": 9.0, "entropy_delta": 0.01, "entropy_max": 0.03, "schedule": "cosine"},
        "loss": {"name": "entropy_mask"},
        "advantage": {"name": "qae"},
        "measure_entropy_change": True,
    },
}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_equal_seeds_give_equal_runs_and_resume_is_exact(tmp_path, variant):
    settings = nano_settings(**VARIANTS[variant])
    straight = make_trainer(tmp_path / "a", settings)
    expected = outcome(straight, straight.train())
    again = make_trainer(tmp_path / "b", settings)
    assert_same(outcome(again, again.train()), expected)

    stopping = make_trainer(tmp_path / "c", settings, checkpoint_every=1)
    step = stopping._step

    def killed_in_step_4(number):
        if number == 4:
            raise KeyboardInterrupt
        return step(number)

    stopping._step = killed_in_step_4
    with pytest.raises(KeyboardInterrupt):
        stopping.train()
    resumed = make_trainer(tmp_path / "c", settings, seed=99)  # other weights: all must come from the checkpoint
    assert_same(outcome(resumed, resumed.train()), expected)
    assert sum(row["skipped"] for row in expected[1]) < len(expected[1])  # the runs did update


def test_other_seeds_give_other_runs(tmp_path):
    runs = [make_trainer(tmp_path / str(seed), nano_settings(seed=seed, steps=1)) for seed in (1, 2)]
    texts = [run.train().rollouts["response"] for run in runs]
    assert texts[0] != texts[1]


def test_time_budget_saves_and_carries_on(tmp_path):
    settings = nano_settings()
    straight = make_trainer(tmp_path / "a", settings)
    expected = outcome(straight, straight.train())
    late = make_trainer(tmp_path / "b", settings, deadline=time.monotonic() - 1)
    with pytest.raises(StageError, match="time budget used up after step 1 of 4"):
        late.train()
    resumed = make_trainer(tmp_path / "b", settings)
    assert_same(outcome(resumed, resumed.train()), expected)


def test_a_half_written_checkpoint_is_ignored(tmp_path):
    settings = nano_settings()
    straight = make_trainer(tmp_path / "a", settings, checkpoint_every=2)
    expected = outcome(straight, straight.train())
    folder = straight.stage.checkpoints
    assert [path.name for path in folder.glob("step-*")] == ["step-00000004"]
    (folder / ".tmp-step-00000009").mkdir()
    (folder / "step-00000010").mkdir()  # no state.json: never completed
    resumed = make_trainer(tmp_path / "a", settings, seed=5)
    assert_same(outcome(resumed, resumed.train()), expected)


def test_learns_what_is_rewarded(tmp_path):
    """Twenty steps raise the share of letters well above its start; entropy falls."""
    trainer = make_trainer(
        tmp_path, nano_settings(steps=20, update={"lr": 3e-3}, rollout={"prompts": 12, "samples": 8})
    )
    metrics = trainer.train().metrics
    assert metrics[-1]["reward"] > metrics[0]["reward"] + 0.2
    assert metrics[-1]["entropy_all"] < metrics[0]["entropy_all"]


def test_metrics_and_tables_add_up(tmp_path):
    settings = nano_settings()
    history = make_trainer(tmp_path, settings).train()
    rows = history.rollouts
    assert len(rows["response"]) == 4 * 4 * 4 and len(set(rows["group"])) == 16
    for metrics in history.metrics:
        chosen = [i for i, step in enumerate(rows["step"]) if step == metrics["step"]]
        verdicts = [rows["verdict"][i] for i in chosen]
        assert metrics["verdict"] == pytest.approx(sum(verdicts) / 16)
        assert metrics["length"] == pytest.approx(sum(rows["length"][i] for i in chosen) / 16)
        groups = {rows["group"][i]: [] for i in chosen}
        for i in chosen:
            groups[rows["group"][i]].append(rows["verdict"][i])
        assert metrics["groups_kept"] == sum(len(set(values)) == 2 for values in groups.values())
        assert metrics["cov_top_002"] >= metrics["cov_top_20"] >= metrics["cov_all"]
        assert 0 < metrics["entropy_all"] < math.log(300)
    assert {row["step"] for row in history.validation} == {0, 2, 4}
    assert [row["subject"] for row in history.validation[:3]] == ["even", "odd", "all"]
    assert history.validation[2]["n"] == 12


def test_without_mixed_groups_nothing_is_updated(tmp_path):
    def constant(batch):
        result = many_letters(batch)
        return type(result)(result.values, result.verdicts | True, result.p_yes)  # soft values vary, verdicts do not

    trainer = make_trainer(tmp_path, nano_settings(steps=2), reward=constant)
    before = {name: value.clone() for name, value in trainer.backend.rollout_model.state_dict().items()}
    metrics = trainer.train().metrics
    assert all(row["skipped"] and row["groups_kept"] == 0 and row["entropy"] is None for row in metrics)
    assert all(torch.equal(value, before[name]) for name, value in trainer.backend.rollout_model.state_dict().items())


def test_refill_samples_until_there_are_enough_mixed_groups(tmp_path):
    """Batches follow each other through the questions; surplus groups are measured and not trained on."""
    settings = nano_settings(steps=3, rollout={"max_batches": 5})
    trainer = make_trainer(tmp_path, settings)
    history = trainer.train()
    batches = [row["batches"] for row in history.metrics]
    assert max(batches) > 1 and sum(batches) == trainer.collector.batches == trainer.responses / 16
    assert [row["groups"] for row in history.metrics] == [4 * count for count in batches]
    assert all(row["groups_kept"] == 4 for row in history.metrics)
    asked = list(dict.fromkeys(zip(history.rollouts["group"], history.rollouts["question_id"], strict=True)))
    assert [group for group, _ in asked] == list(range(4 * sum(batches)))
    order = [f"q{index}" for number in range(1, sum(batches) + 1) for index in trainer.collector.sampler.batch(number)]
    assert [question for _, question in asked] == order


def test_refill_gives_up_with_one_line_and_keeps_the_checkpoint(tmp_path):
    calls = itertools.count(1)

    def never_mixed_later(batch):
        result = many_letters(batch)
        return result if next(calls) < 3 else type(result)(result.values, result.verdicts | True, result.p_yes)

    settings = nano_settings(rollout={"max_batches": 2, "samples": 8})
    trainer = make_trainer(tmp_path, settings, reward=never_mixed_later, checkpoint_every=1)
    with pytest.raises(StageError, match=r"step \d: [0-3] of 4 groups with mixed verdicts after 2 batches"):
        trainer.train()
    saved = len(trainer.history.metrics)
    assert [path.name for path in trainer.stage.checkpoints.glob("step-*")] == [f"step-{saved:08d}"] * (saved > 0)


def test_overlong_responses_lose_reward(tmp_path):
    """Eight tokens at most, the last four punished: what is trained on falls with the length, what is logged is raw."""
    assert overlong_penalty(torch.tensor([3, 4, 5, 6, 8]), max_tokens=8, buffer=4, weight=2.0).tolist() == [
        *(0, 0, -0.5, -1.0, -2.0)
    ]
    seen = {}
    for buffer in (0, 4):
        settings = nano_settings(steps=1, rollout={"overlong_buffer": buffer}, filter_groups=False)
        trainer = make_trainer(tmp_path / str(buffer), settings)
        advantages = trainer._with_advantages
        trainer._with_advantages = lambda kept, b=buffer, a=advantages: seen.setdefault(b, a(kept))
        seen[buffer, "metrics"] = trainer.train().metrics[0]
    punished = overlong_penalty(seen[0].mask.sum(dim=-1), max_tokens=8, buffer=4)
    assert torch.allclose(seen[4].rewards, seen[0].rewards + punished) and punished.min() == -1
    assert seen[4, "metrics"]["reward"] == seen[0, "metrics"]["reward"]


def test_the_entropy_coefficient_adapts(tmp_path):
    """It rises step by step to its bound while the entropy is below the target, and is off above it."""
    adaptive = {"entropy_delta": 0.01, "entropy_max": 0.025}
    low = make_trainer(tmp_path / "low", nano_settings(update={"entropy_target": 9.0, **adaptive})).train().metrics
    assert [row["entropy_coef"] for row in low] == pytest.approx([0.01, 0.02, 0.025, 0.025])
    high = make_trainer(tmp_path / "high", nano_settings(update={"entropy_target": 0.1, **adaptive})).train().metrics
    assert [row["entropy_coef"] for row in high] == [0.0] * 4


def test_entropy_change_is_that_of_the_same_responses(tmp_path):
    settings = nano_settings(steps=1, measure_entropy_change=True, update={"lr": 1e-2}, filter_groups=False)
    trainer = make_trainer(tmp_path, settings)
    seen, run = [], trainer.updater.run
    trainer.updater.run = lambda kept, *rest: seen.append(kept) or run(kept, *rest)
    row = trainer.train().metrics[0]
    rollouts = seen[0]
    _, after = all_log_probs(
        Policy(trainer.backend.rollout_model), rollouts.prompts, rollouts.tokens, rollouts.mask, budget=999
    )
    expected = response_entropy(after, rollouts.mask) - response_entropy(rollouts.entropy, rollouts.mask)
    assert row["entropy_change"] == pytest.approx(expected, abs=1e-6) and abs(expected) > 1e-4


def test_event_files_hold_the_metrics_after_a_resume_too(tmp_path):
    """What TensorBoard itself reads: every step once, with the numbers of the table."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    stopped = make_trainer(tmp_path, nano_settings(), deadline=time.monotonic() - 1, checkpoint_every=1)
    with pytest.raises(StageError):
        stopped.train()
    trainer = make_trainer(tmp_path, nano_settings())
    history = trainer.train()
    events = EventAccumulator(str(trainer.stage.out / "events")).Reload()
    for column in ("reward", "entropy_all", "grad_norm"):
        scalars = events.Scalars(f"train/{column}")
        assert [scalar.step for scalar in scalars] == [1, 2, 3, 4]
        assert [scalar.value for scalar in scalars] == pytest.approx([row[column] for row in history.metrics])
    assert [scalar.step for scalar in events.Scalars("validation/accuracy")] == [0, 2, 4]


def test_updates_that_are_not_finite_are_counted(tmp_path):
    calls = itertools.count(1)

    def infinite_once(batch):
        result = many_letters(batch)
        if next(calls) == 2:
            result.values[:] = np.inf
        return result

    metrics = make_trainer(tmp_path, nano_settings(filter_groups=False), reward=infinite_once).train().metrics
    assert [row["not_finite"] for row in metrics] == [0, 2, 0, 0]
    assert [row["skipped"] for row in metrics] == [False, True, False, False]


def test_reference_terms_pull_back(tmp_path):
    """A strong KL term, in the loss or in the reward, keeps the policy nearer to its start than none."""
    distances = {}
    for kl_in, coefficient in (("loss", 0.0), ("loss", 5.0), ("reward", 5.0)):
        update = {"kl_coef": coefficient, "kl_in": kl_in, "lr": 3e-3}
        settings = nano_settings(steps=6, update=update, filter_groups=False)
        trainer = make_trainer(tmp_path / f"{kl_in}{coefficient}", settings, reference=nano_policy()[0])
        start = nano_policy()[0].state_dict()
        trainer.train()
        now = trainer.backend.rollout_model.state_dict()
        distances[kl_in, coefficient] = sum(float((now[name] - start[name]).square().sum()) for name in start)
    assert distances["loss", 5.0] < distances["loss", 0.0]
    assert distances["reward", 5.0] != distances["loss", 0.0]
    with pytest.raises(ValueError, match="no reference model"):
        make_trainer(tmp_path / "none", nano_settings(update={"kl_coef": 0.1}))


def test_responses_of_the_start_make_supervised_fine_tuning(tmp_path):
    """The start's responses are trained on at every step, and updates make the right ones likelier."""
    offline = {"rollout": {"responses": "start"}, "advantage": {"name": "reinforce"}, "filter_groups": False}
    update = {"minibatches": 1, "lr": 0.05, "max_grad_norm": 1e9}
    settings = nano_settings(steps=2, update=update, loss={"name": "reinforce"}, **offline)

    def right(batch):
        found = many_letters(batch)
        return RewardResult(found.verdicts.astype(np.float32), found.verdicts, found.p_yes)

    trainer = make_trainer(tmp_path / "start", settings, reward=right, reference=nano_policy()[0])
    seen, run = [], trainer.updater.run
    trainer.updater.run = lambda kept, *rest: seen.append(kept) or run(kept, *rest)
    rollouts = trainer.train().rollouts
    never = nano_settings(
        steps=2, update=update | {"lr": 1e-12}, loss={"name": "reinforce"}, **(offline | {"rollout": {}})
    )
    assert rollouts["response"] == make_trainer(tmp_path / "still", never, reward=right).train().rollouts["response"]
    assert len(set(rollouts["verdict"])) == 2  # some are right, so that there is something to learn
    part = seen[0]
    start, _ = all_log_probs(Policy(nano_policy()[0]), part.prompts, part.tokens, part.mask, budget=999)
    assert torch.allclose(part.old_log_probs, start, atol=1e-5)
    after, _ = all_log_probs(Policy(trainer.backend.rollout_model), part.prompts, part.tokens, part.mask, budget=999)
    likelihood = [float((values.sum(-1) * part.rewards).sum()) for values in (start, after)]
    assert likelihood[1] > likelihood[0] + 1
    with pytest.raises(ValueError, match="responses: start is set, but there is no reference model"):
        make_trainer(tmp_path / "none", settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rollout": {"responses": "teacher"}}, "rollout.responses 'teacher', allowed: policy, start"),
        ({"update": {"minibatches": 3}}, "4 prompts x 4 samples = 16 responses, which update.minibatches 3"),
        ({"loss": {"name": "ppo"}}, "unknown loss 'ppo'"),
        ({"loss": {"options": {"clip": 1}}}, "unknown option 'clip'"),
        ({"loss": {"scope": "batch"}}, "loss.scope 'batch'"),
        ({"advantage": {"name": "gae"}}, "unknown advantage 'gae'"),
        ({"rollout": {"temperature": 0.0}}, "rollout.temperature must be above 0"),
        ({"rollout": {"tokens": 1}}, "rollout: got an unexpected keyword argument 'tokens'"),
        ({"normalize_reward": True}, "normalize_reward with advantage grpo"),
        ({"rollout": {"max_batches": 3}, "filter_groups": False}, "max_batches is above 1, but filter_groups is off"),
        ({"rollout": {"overlong_buffer": 9}}, "overlong_buffer 9 exceeds max_tokens 8"),
        ({"loss": {"name": "gspo"}}, "gspo.*aggregation 'token-mean'"),
        ({"update": {"backend": "fsdp"}}, "update.backend 'fsdp', allowed: single, zero2, zero3"),
        ({"update": {"entropy_target": 1.0, "entropy_coef": 0.1}}, "entropy coefficient 0.1 is not between 0 and"),
        ({"update": {"kl_estimator": "k4"}}, "update.kl_estimator 'k4'"),
    ],
)
def test_bad_settings_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        nano_settings(**changes)
