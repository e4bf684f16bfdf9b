"""config/paper.yaml evaluates as the papers do: which benchmarks, how sampled, by whom graded, for which arms."""

import pytest
import yaml

from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import ConfigError, load_config

PAPER = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
AVG_AT_32 = {"aime24", "aime25", "amc", "amc23"}
ENTROPY = AVG_AT_32 | {"math500", "omni_math", "olympiadbench", "minerva", "gsm8k"}
REWARD = {"multi_subject", "rlvr_math", "natural_reasoning", "webinstruct", "theoremqa"}
TABLE_2 = ENTROPY - {"amc23", "gsm8k"}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return Graph(load_config(PAPER), ROOT)


def test_every_benchmark_of_the_papers_is_there_sampled_as_published(graph):
    benchmarks = graph.config.benchmarks
    assert set(benchmarks) == ENTROPY | REWARD
    for name, benchmark in benchmarks.items():
        sampling = (32, 0.6) if name in AVG_AT_32 else (1, 0.0)
        assert (benchmark.samples, benchmark.temperature) == sampling
        assert benchmark.max_tokens == (8192 if name in ENTROPY else 1024)
        assert ("rule" in benchmark.graders) and ("teacher" in benchmark.graders) == (name in REWARD)


@pytest.mark.parametrize(
    ("study", "asked"),
    [
        ("entropy_main", TABLE_2),
        ("reward_main", {"multi_subject", "rlvr_math"}),
        ("reward_ood", {"natural_reasoning", "webinstruct"}),
    ],
)
def test_arms_are_evaluated_on_what_their_studies_ask_for(graph, study, asked):
    arms = [arm for arm in graph.arms if arm.studies == (study,)]
    assert arms
    for arm in arms:
        answers, grades = graph.answers(arm), graph.grades(arm)
        assert set(answers.config["benchmarks"]) == set(grades.config["benchmarks"]) == asked
        assert {role for role in answers.inputs if role.startswith("data:")} == {f"data:{name}" for name in asked}
        assert ("teacher" in grades.inputs) == bool(asked & REWARD)  # no 72B model where rules grade


def test_the_untrained_policy_is_evaluated_on_what_its_arms_are(graph):
    asked = set(graph.answers(None, "qwen_7b_reward", 0).config["benchmarks"])
    assert asked == {"multi_subject", "rlvr_math", "natural_reasoning", "webinstruct"}
    assert set(graph.answers(None, "qwen_7b", 0).config["benchmarks"]) == TABLE_2


def test_votes_are_one_by_default_and_several_need_a_temperature(graph):
    grades = graph.grades(next(arm for arm in graph.arms if "reward_main" in arm.studies))
    assert {(b["votes"], b["vote_temperature"]) for b in grades.config["benchmarks"].values()} == {(1, 0.0)}
    config = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    config["benchmarks"]["rlvr_math"]["votes"] = 5
    with pytest.raises(ConfigError, match="benchmarks.rlvr_math.*5 equal ones at vote_temperature 0"):
        load_config(config)
    config["benchmarks"]["rlvr_math"]["vote_temperature"] = 1.0
    load_config(config)


def test_the_order_of_graders_does_not_count(graph):
    config = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    config["benchmarks"]["rlvr_math"]["graders"].reverse()
    keys = lambda made: {artifact.identity for artifact in made.of_stage("grade_answers").values()}  # noqa: E731
    assert keys(Graph(load_config(config), ROOT)) == keys(graph)
