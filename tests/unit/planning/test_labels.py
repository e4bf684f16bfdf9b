"""Jobs are named as people name them."""

from workflow_scripts.planning.labels import Labels

ARMS = [("train_policy", f"base.train.grpo.{reward}.none.s{seed}") for reward in ("rule", "judge") for seed in range(3)]


def test_what_all_arms_share_is_left_out():
    labels = Labels(ARMS)
    assert labels.of("train_policy", ARMS[0][1]) == "grpo·rule·none"
    assert labels.of("grade_answers", "grades.base.train.grpo.rule.none.s0") == "grpo·rule·none"
    assert Labels([*ARMS, ("train_policy", "big.train.grpo.rule.none.s0")]).of(*ARMS[0]) == "base·train·grpo·rule·none"


def test_seeds_are_listed_together():
    assert (
        Labels(ARMS).listed("train_policy", [name for _, name in ARMS]) == "grpo·rule·none s0–s2, grpo·judge·none s0–s2"
    )
    assert Labels([]).listed("prepare_model", ["base.s0", "base.s4", "hub"]) == "base s0 s4, hub"


def test_a_stage_of_one_job_needs_no_name():
    assert Labels([]).listed("render_report", ["report"]) == ""
