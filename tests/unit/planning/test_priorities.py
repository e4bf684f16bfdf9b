"""Jobs are ordered by study, then by the longest chain behind them, which keeps two cores full to the end."""

import heapq
from functools import cache
from itertools import pairwise

import pytest
import yaml

from tests.project import ROOT
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import load_config
from workflow_scripts.planning.cost.durations import Durations
from workflow_scripts.planning.priorities import chain_seconds, priorities

OVERSIZE = 1.02  # of the least time that any order could take


@cache
def graph(name: str) -> Graph:
    return Graph(load_config(yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text())), ROOT)


def place(artifact):
    return artifact.stage, artifact.identity


def test_studies_come_in_the_order_of_the_config():
    """The first study's artifacts come before all others, upstream ones with the first study that needs them."""
    made = graph("nano_claims")
    found = priorities(made)
    first = {place(artifact) for artifact in made.of_study("reward_by_entropy")}
    by_name = {name.rpartition("-")[0]: value for (_, name), value in found.items()}
    own = [value for at, value in found.items() if at in first]
    last = by_name["base_w32.questions_train.grpo.truth.none.s6"], by_name["base_w32.s6"]
    assert min(own) > max(last)
    assert min(by_name["base.s6"], by_name["audit.judge.s6"]) > max(own)


@pytest.mark.parametrize("name", ["nano", "smol", "paper"])
def test_a_chain_is_the_job_and_the_longest_chain_of_those_that_wait_for_it(name):
    made = graph(name)
    chains, durations = chain_seconds(made), Durations(made)
    waiting = {at: [] for at in chains}
    for artifact in made.artifacts:
        for upstream in artifact.inputs.values():
            waiting[place(upstream)].append(chains[place(artifact)])
    for artifact in made.artifacts:
        behind = max(waiting[place(artifact)], default=0)
        assert chains[place(artifact)] == pytest.approx(behind + durations.of(artifact))


def test_what_the_judge_needs_goes_before_arms_that_need_no_judge():
    found = {(stage, name.rpartition("-")[0]): rank for (stage, name), rank in priorities(graph("nano")).items()}
    arm, rule = "base.questions_train.grpo.{}.none.s0", "base.questions_train.grpo.rule.none.s0"
    order = [
        ("prepare_model", "teacher.s0"),
        ("prepare_model", "judge_base.s0"),
        ("explore_policy", "stage1.s0"),
        ("label_rollouts", "stage1.s0"),
        ("distill_judge", "judge.judge.s0"),
        ("audit_judge", "audit.judge.s0"),
        ("train_policy", arm.format("judge_soft")),  # a verdict on each response: longer
        ("train_policy", rule),
        ("sample_answers", f"answers.{rule}"),
        ("grade_answers", f"grades.{rule}"),
    ]
    assert all(found[earlier] > found[later] for earlier, later in pairwise(order))


def test_the_longest_arms_of_a_study_go_first():
    """At paper scale by the cost model: a large policy before a small one, of one reward and algorithm."""
    made = graph("paper")
    found, durations = priorities(made), Durations(made)
    arms = [made.policy(arm) for arm in made.arms if arm.studies[0] == "entropy_main"]
    longer = [(a, b) for a in arms for b in arms if durations.of(a) > durations.of(b) + 60]
    assert longer and all(found[place(a)] > found[place(b)] for a, b in longer)


@pytest.mark.parametrize("cores", [2, 4])
def test_the_order_keeps_the_cores_full(cores):
    """Jobs of the estimated durations, started as Snakemake does: the first of those that are ready on a free core."""
    made = graph("nano")
    found, chains, durations = priorities(made), chain_seconds(made), Durations(made)
    least = max(max(chains.values()), sum(map(durations.of, made.artifacts)) / cores)
    assert _seconds(made, found, durations, cores) <= OVERSIZE * least + chains[place(made.law())]


def _seconds(made, ranks, durations, cores) -> float:
    waiting, running, done, now = list(made.artifacts), [], set(), 0.0
    while waiting or running:
        ready = [one for one in waiting if all(place(upstream) in done for upstream in one.inputs.values())]
        for artifact in sorted(ready, key=lambda one: -ranks[place(one)])[: cores - len(running)]:
            waiting.remove(artifact)
            heapq.heappush(running, (now + durations.of(artifact), place(artifact)))
        now, ended = heapq.heappop(running)
        done.add(ended)
    return now
