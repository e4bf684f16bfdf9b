"""Differences of specs are said in the words of the YAML."""

import pytest

from workflow_scripts.planning.differences import code_changes, setting_changes, shortened

ARM = {
    "split": "train",
    "steps": 6,
    "update": {"lr": 1e-3, "entropy_coef": 0.0},
    "loss": {"name": "kl_cov", "options": {"kl_cov_ratio": 0.002}, "scope": "mini_batch"},
    "reward": {"kind": "judge", "soft": True, "template": "judge_nano", "judging": {"batch": 256}},
}


def changed(config: dict, dotted: str, value) -> dict:
    """A copy with one setting changed."""
    head, _, rest = dotted.partition(".")
    return config | {head: changed(config[head], rest, value) if rest else value}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("loss.options.kl_cov_ratio", 0.02, "entropy.kl_cov_ratio 0.002 → 0.02"),
        ("loss.scope", "micro_batch", "entropy.scope mini_batch → micro_batch"),
        ("update.entropy_coef", 0.01, "entropy_coef 0.0 → 0.01"),
        ("update.lr", 1e-6, "algorithms.update.lr 0.001 → 1e-06"),
        ("steps", 12, "algorithms.steps 6 → 12"),
        ("reward.soft", False, "rewards.soft true → false"),
        ("reward.judging.batch", 8, "models.judging.batch 256 → 8"),
        ("reward.template", "other", "models.template judge_nano → other"),
    ],
)
def test_a_setting_is_named_as_in_the_yaml(path, value, said):
    assert setting_changes("train_policy", ARM, changed(ARM, path, value)) == [said]


def test_settings_that_come_and_go():
    other = ARM | {"loss": {"name": "ppo_clip", "options": {"clip_low": 0.2}, "scope": "mini_batch"}}
    assert setting_changes("train_policy", ARM, other) == [
        "entropy.loss kl_cov → ppo_clip",
        "entropy.kl_cov_ratio 0.002 → none",
        "entropy.clip_low none → 0.2",
    ]
    assert setting_changes("sample_answers", {"benchmarks": {}}, {"benchmarks": {"aime": {"samples": 4}}}) == [
        "benchmarks.aime added"
    ]


def test_arms_are_counted_and_their_order_says_nothing():
    arms = [{"role": f"base.train.grpo.rule.none.s{seed}", "seed": seed} for seed in range(4)]
    assert setting_changes("compare_results", {"arms": arms}, {"arms": arms[::-1]}) == []
    assert setting_changes("compare_results", {"arms": arms[:2]}, {"arms": arms[1:]}) == [
        "1 arm removed",
        "2 arms added",
    ]


def test_the_report_names_settings_by_their_whole_path():
    old, new = ({"settings": {"rewards": {"rule": {"soft": soft}}}} for soft in (False, True))
    assert setting_changes("render_report", old, new) == ["rewards.rule.soft false → true"]


def test_code_is_named_by_part():
    old = {"modules": {"workflow_scripts.rl.trainer": "ab", "workflow_scripts.a": "x"}, "libraries": {"torch": "2.4"}}
    new = {
        "modules": {"workflow_scripts.rl.trainer": "abcd", "workflow_scripts.a": "y"},
        "files": {"judge.txt": "t"},
        "libraries": {"torch": "2.5"},
    }
    assert code_changes(old, new, same_settings=True) == ["code of a", "file judge.txt added", "torch 2.4 → 2.5"]
    assert code_changes(old, new, same_settings=False) == ["code of a", "torch 2.4 → 2.5"]
    assert code_changes(None, new, same_settings=True) == ["code changed"]


def test_long_lists_are_counted():
    assert shortened(["a", "b", "c", "d", "e"]) == "a, b, c, 2 more"
