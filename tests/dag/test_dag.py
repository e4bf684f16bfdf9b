"""Every config builds a DAG, targets work as a user types them, and a bad config is one clear line."""

import subprocess
import sys

import pytest
import yaml

from tests.project import ROOT, Project


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return Project.copy(ROOT, tmp_path_factory.mktemp("dag") / "project")


def with_config(project, name):
    return Project(project.root, name)


def test_nano_plans_the_default_grid(fresh):
    jobs = with_config(fresh, "config/nano.yaml").plan()
    config = yaml.safe_load((ROOT / "config" / "nano.yaml").read_text())
    arms = {
        (data, algorithm, reward, entropy, seed)
        for study in config["studies"].values()
        for data in study["data"]
        for algorithm in study["algorithms"]
        for reward in study["rewards"]
        for entropy in study["entropy"]
        for seed in study["seeds"]
    }
    assert jobs["train_policy"] == len(arms)
    assert jobs["sample_answers"] == jobs["grade_answers"] == len(arms) + 1  # and the untrained base policy
    assert jobs["explore_policy"] == jobs["distill_judge"] == jobs["audit_judge"] == jobs["render_report"] == 1


def test_the_paper_grid_is_planned_whole_and_by_study(fresh):
    """Arms that several studies share are trained once: the law's 11 base models, the baselines of the sweeps.

    A study of judges alone trains nothing but them and the policy that explores for them.
    """
    paper = with_config(fresh, "config/paper.yaml")
    assert paper.plan()["train_policy"] == 113
    assert paper.plan("entropy_main")["train_policy"] == paper.plan("entropy_main")["grade_answers"] == 8
    reward_main = paper.plan("reward_main")
    assert reward_main["train_policy"] == 36 and reward_main["grade_answers"] >= 36 + 2  # and models as they are
    audit = paper.plan("judge_agreement")
    assert audit["audit_judge"] == audit["distill_judge"] == audit["explore_policy"] == 1
    assert not {"train_policy", "sample_answers"} & audit.keys()


@pytest.mark.parametrize(
    ("target", "stage"),
    [("data", "sample_data"), ("judges", "distill_judge"), ("audits", "audit_judge"), ("policies", "train_policy")],
)
def test_a_stage_is_a_target(fresh, target, stage):
    jobs = fresh.plan(target)
    assert jobs[stage] and "render_report" not in jobs


def test_a_study_is_a_target(fresh):
    assert fresh.plan("reward_by_entropy")["grade_answers"] == 4


@pytest.mark.parametrize(
    ("dotted", "value", "line"),
    [
        ("algorithms.grpo.stepz", 3, "config: algorithms.grpo.stepz: unknown key; did you mean 'steps'?"),
        ("datasets.questions.splits.test.rows", -3, "config: datasets.questions.splits.test.rows: -3: input should be"),
        ("entropy.none.loss", "klcov", "config: entropy.none.loss: 'klcov': input should be"),
        ("rewards.judge_soft.judge", "jugde", "config: rewards.judge_soft.judge: 'jugde' is not one of judge"),
        (
            "studies.reward_by_entropy.entropy",
            ["non"],
            "config: studies.reward_by_entropy.entropy: 'non' is not one of",
        ),
    ],
)
def test_a_bad_config_is_one_line(fresh, tmp_path, dotted, value, line):
    project = Project(fresh.root, str(tmp_path / "bad.yaml"))
    project.config.write_text((ROOT / "tests/configs/micro.yaml").read_text())
    project.set(dotted, value)
    done = project.snakemake("-n")
    assert done.returncode == 1
    assert done.stdout.startswith(line) and done.stdout.count("\n") == 1, done.stdout


def test_the_dry_run_loads_no_heavy_library(fresh):
    """A dry run must stay quick: torch and transformers are imported by stages alone."""
    done = fresh.snakemake("-n", "--quiet", "all")
    assert done.returncode == 0
    heavy = "{'torch', 'transformers', 'datasets'} & set(sys.modules)"
    probe = f"import sys, workflow_scripts.config.graph; print(sorted({heavy}))"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True).stdout == "[]\n"
