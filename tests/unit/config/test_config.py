"""Every config parses; a mistake is named in one line with path, value and what is allowed."""

import copy

import pytest
import yaml

from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.config.arms import expand_arms
from workflow_scripts.config.load import ConfigError, config_schema, load_config

NAMES = ("config/nano*.yaml", "config/paper.yaml", "tests/configs/*.yaml")
CONFIGS = sorted(path for name in NAMES for path in ROOT.glob(name))


def raw(path=ROOT / "config" / "nano.yaml"):
    return yaml.safe_load(path.read_text())


def edited(dotted, value):
    config = copy.deepcopy(raw())
    *parents, last = dotted.split(".")
    node = config
    for part in parents:
        node = node[part]
    node[last] = value
    return config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_config_parses(path):
    assert expand_arms(load_config(raw(path)))


def test_the_schema_has_not_drifted():
    """Regenerate with `python -m workflow_scripts.config.load`."""
    assert (ROOT / "config" / "schema.json").read_text() == config_schema()


@pytest.mark.parametrize(
    ("dotted", "value", "message"),
    [
        ("nonsense", 1, "nonsense: unknown key"),
        ("algorithms.grpo.rollout.promts", 8, r"algorithms.grpo.rollout.promts: unknown key; did you mean 'prompts'"),
        ("algorithms.grpo.rollout.prompts", -1, "algorithms.grpo.rollout.prompts: -1: input should be greater than 0"),
        ("algorithms.grpo.update.minibatches", 7, "7 does not divide"),
        ("entropy.none.loss", "ppo_clop", "entropy.none.loss: 'ppo_clop': input should be 'reinforce', 'ppo_clip'"),
        (
            "studies.reward_by_entropy.rewards",
            ["rulle"],
            "studies.reward_by_entropy.rewards: 'rulle' is not one of .*rule",
        ),
        ("teacher", "nobody", "teacher: 'nobody' is not one of base, judge_base, teacher"),
        ("judges.judge.base", "x", "judges.judge.base: 'x' is not one of"),
        ("placement", {"train_polcy": {}}, "placement: 'train_polcy' is not one of"),
    ],
)
def test_a_mistake_is_one_line(dotted, value, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(edited(dotted, value))
    assert "\n" not in str(caught.value)


def test_equal_arms_of_two_studies_are_one():
    config = raw()
    config["studies"]["again"] = {**config["studies"]["reward_by_entropy"], "title": "again"}
    arms = expand_arms(load_config(config))
    assert len(arms) == len(expand_arms(load_config(raw())))
    assert all(set(arm.studies) >= {"again"} for arm in arms if "reward_by_entropy" in arm.studies)


def test_a_branch_instead_of_a_commit_is_refused():
    source = {"kind": "hub", "repo": "a/b", "revision": "main"}
    with pytest.raises(ConfigError, match="revision: 'main'"):
        load_config(edited("models.base.source", source))
