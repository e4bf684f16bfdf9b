"""What the config makes of the labels: one job, or several and one that joins them; an engine's code counts by use."""

import copy

import pytest
import yaml

from workflow_scripts.artifacts.fingerprint import ROOT, _closure, _entries
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import load_config

ENGINES = "workflow_scripts.rewards.judge_engines"
MICRO = yaml.safe_load((ROOT / "tests" / "configs" / "micro.yaml").read_text())  # 2 steps of 16 x 4: 128 rollouts


def graph(**changes):
    """The graph of micro.yaml with settings of the labels and of how the teacher judges."""
    config = copy.deepcopy(MICRO)
    config["models"]["teacher"]["judging"] = changes.pop("judging", {})
    config["judges"]["judge"]["labels"] |= changes
    return Graph(load_config(config), ROOT)


def engines_of(artifact):
    modules = _closure(_entries(artifact.stage, artifact.config))[0]
    return {name.rpartition(".")[2] for name in modules if name.startswith(f"{ENGINES}.")}


def test_labels_are_one_job_up_to_the_size_in_the_config():
    (labels,) = graph(rollouts_per_job=128).of_stage("label_rollouts").values()
    assert set(labels.inputs) == {"rollouts", "teacher"} and labels.config["jobs"] == 1
    assert "rollouts_per_job" not in labels.config  # a size that scatters nothing changes no key
    assert labels.key == next(iter(graph().of_stage("label_rollouts").values())).key


def test_above_it_several_jobs_score_and_one_without_a_model_joins():
    scattered = graph(rollouts_per_job=50)
    jobs = sorted(scattered.of_stage("label_rollouts").values(), key=lambda job: str(job.config["job"]))
    assert [job.config["job"] for job in jobs] == [0, 1, 2, None] and {job.config["jobs"] for job in jobs} == {3}
    assert all(set(job.inputs) == {"rollouts", "teacher"} for job in jobs[:3])
    assert set(jobs[3].inputs) == {"rollouts", "job:0", "job:1", "job:2"}
    (judge,) = scattered.of_stage("distill_judge").values()
    assert judge.inputs["labels"] == jobs[3]


@pytest.mark.parametrize(("engine", "module"), [("inprocess", "inprocess"), ("vllm", "offline"), ("served", "served")])
def test_only_the_engine_that_asks_the_teacher_counts(engine, module):
    """The judge itself is trained in process, whatever runs the teacher; the audit asks both."""
    made = graph(judging={"engine": engine})
    (labels,) = made.of_stage("label_rollouts").values()
    assert engines_of(labels) == {module}
    assert all(engines_of(grades) == {module} for grades in made.of_stage("grade_answers").values())
    assert all(engines_of(explored) == {module} for explored in made.of_stage("explore_policy").values())
    assert all(engines_of(judge) == {"inprocess"} for judge in made.of_stage("distill_judge").values())
    assert all(engines_of(audit) == {"inprocess", module} for audit in made.of_stage("audit_judge").values())
    by_rule = [arm for arm in made.of_stage("train_policy").values() if arm.config["reward"]["kind"] == "rule"]
    assert by_rule and not any(engines_of(arm) for arm in by_rule)
