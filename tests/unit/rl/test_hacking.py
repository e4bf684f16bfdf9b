"""The reward-hacking watch on synthetic series: each sign where it belongs, none on a run that learns."""

import pytest
import torch

from tests.rl_nano import nano_settings
from tests.unit.rl.test_trainer import make_trainer
from workflow_scripts.artifacts import StageError
from workflow_scripts.rl import hacking
from workflow_scripts.rl.hacking import DIVERGED, MEANINGS, REPEATED, SHORT, WINDOW, warning_signs
from workflow_scripts.rl.measures import repetition

STEPS = 60


def run(length=lambda s: 20.0, repeated=lambda s: 0.05, verdict=lambda s: 0.3 + 0.006 * s, accuracy=None):
    """(METRICS rows, VALIDATION rows every 5 steps) of a run whose figures are functions of the step."""
    accuracy = accuracy or (lambda s: 0.3 + 0.004 * s)
    metrics = [
        {"step": s, "length": length(s), "repetition": repeated(s), "verdict": verdict(s)} for s in range(1, STEPS + 1)
    ]
    validation = [
        {"step": s, "subject": subject, "accuracy": accuracy(s) if subject == "all" else 0.0}
        for s in range(0, STEPS + 1, 5)
        for subject in ("dates", "all")
    ]
    return metrics, validation


def signs_by_step(metrics, validation):
    """Signs after every step, from what was known then."""
    return {
        row["step"]: warning_signs(metrics[: row["step"]], [v for v in validation if v["step"] <= row["step"]])
        for row in metrics
    }


def test_a_run_that_learns_gives_no_sign():
    assert not any(signs_by_step(*run()).values())


@pytest.mark.parametrize("wobble", [0.0, 0.02])
def test_a_run_that_has_converged_and_wobbles_gives_no_sign(wobble):
    noisy = run(verdict=lambda s: 0.8 + wobble * (-1) ** s, accuracy=lambda s: 0.6 + wobble * (-1) ** (s // 5))
    assert not any(signs_by_step(*noisy).values())


def test_answers_that_grow_shorter_by_a_half_are_no_collapse_and_to_a_tenth_are_one():
    assert not any(signs_by_step(*run(length=lambda s: 20.0 if s < 30 else 10.0)).values())
    found = signs_by_step(*run(length=lambda s: 20.0 if s < 30 else 2.0))
    assert found[29] == [] and found[29 + WINDOW] == ["length"] and found[STEPS] == ["length"]
    threshold = 20.0 * SHORT
    assert warning_signs(*run(length=lambda s: 20.0 if s <= WINDOW else threshold + 0.1)) == []


def test_one_response_to_half_of_the_questions_is_a_sign_after_a_window():
    found = signs_by_step(*run(repeated=lambda s: 0.9 if s > 30 else 0.05))
    assert found[30] == [] and found[30 + WINDOW] == ["repetition"]
    assert warning_signs(*run(repeated=lambda s: REPEATED - 0.01)) == []


def test_reward_that_rises_while_accuracy_falls_is_a_sign_and_either_alone_is_none():
    def turned(s):
        return 0.5 + 0.004 * min(s, 30) - 0.004 * max(0, s - 30)

    assert signs_by_step(*run(accuracy=turned))[STEPS] == ["divergence"]
    assert signs_by_step(*run(accuracy=turned))[30] == []
    assert warning_signs(*run(accuracy=turned, verdict=lambda s: 0.5)) == []  # it forgets, but is not paid for it
    assert warning_signs(*run(accuracy=lambda s: 0.5)) == []  # it is paid for what validation does not see
    slightly = run(accuracy=lambda s: 0.5 - 0.5 * DIVERGED * s / STEPS)
    assert warning_signs(*slightly) == []


def test_signs_come_together_in_fixed_order_and_each_has_a_meaning():
    found = warning_signs(
        *run(lambda s: 20.0 / s, lambda s: 1.0, lambda s: s / STEPS, accuracy=lambda s: 0.5 - 0.5 * s / STEPS)
    )
    assert found == ["length", "repetition", "divergence"] == list(MEANINGS)


def test_without_validation_there_is_no_divergence():
    assert warning_signs(run()[0], []) == []


def test_repetition_counts_questions_and_not_the_samples_of_one():
    tokens = torch.tensor([[5, 6], [5, 6], [5, 6], [7, 0], [5, 9], [8, 8]])
    mask = torch.tensor([[1, 1], [1, 1], [1, 1], [1, 0], [1, 0], [1, 1]], dtype=torch.bool)
    prompts = [[1], [1], [2], [2], [3], [3]]
    assert repetition(tokens, mask, prompts) == pytest.approx(2 / 3)  # 5 6 to the questions 1 and 2
    assert repetition(tokens[:2], mask[:2], prompts[:2]) == 0.0  # one question: a sure policy, no sign
    assert repetition(tokens, mask, [[n] for n in range(6)]) == pytest.approx(0.5)


def test_the_trainer_puts_signs_into_its_metrics_and_logs_a_new_one_once(tmp_path, monkeypatch, capsys):
    """The thresholds are set so that a sign is there from the second step on; a resumed run finds the same."""
    monkeypatch.setattr(hacking, "WINDOW", 2)
    monkeypatch.setattr(hacking, "REPEATED", 0.0)
    settings = nano_settings(steps=4)
    rows = make_trainer(tmp_path / "straight", settings, checkpoint_every=2).train().metrics
    assert [row["warning"] for row in rows] == ["", "repetition", "repetition", "repetition"]
    assert all(0.0 <= row["repetition"] <= 1.0 for row in rows)
    assert capsys.readouterr().out.count("sign of reward hacking (repetition)") == 1
    with pytest.raises(StageError):
        make_trainer(tmp_path / "resumed", settings, deadline=0.0).train()
    resumed = make_trainer(tmp_path / "resumed", settings).train().metrics
    assert [(row["warning"], row["repetition"]) for row in resumed] == [
        (row["warning"], row["repetition"]) for row in rows
    ]
