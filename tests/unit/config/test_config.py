"""Every config parses; a mistake is named in one line with path, value and what is allowed."""

import copy

import pytest
import yaml
from pydantic import TypeAdapter

from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.config import load
from workflow_scripts.config.arms import expand_arms
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import ConfigError, config_schema, load_config
from workflow_scripts.config.rl_options import Advantage, EntropyControl

NAMES = ("config/nano*.yaml", "config/smol.yaml", "config/paper.yaml", "tests/configs/*.yaml")
CLAIMS = ROOT / "config" / "nano_claims.yaml"
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


def test_only_some_studies_are_computed():
    """What they share with the others keeps its key, so that what is finished is found."""
    config = raw(CLAIMS)
    whole, some = (Graph(load_config(config | more), ROOT) for more in ({}, {"only": ["reward_ood", "law_sizes"]}))
    assert list(some.config.studies) == ["reward_ood", "law_sizes"] and len(some.arms) == 10 + 6
    for stage in ("prepare_model", "train_policy", "grade_answers"):
        assert some.of_stage(stage).keys() <= whole.of_stage(stage).keys()
    with pytest.raises(ConfigError, match="config: only: 'law' is not one of"):
        load_config(config | {"only": ["law"]})


def test_an_arm_is_evaluated_on_what_its_studies_ask_for():
    """`benchmarks: []` asks for nothing; an arm of two studies is evaluated on what either asks for."""
    config = raw(CLAIMS)
    graph = Graph(load_config(config), ROOT)
    assert {artifact.stage for artifact in graph.of_study("law_null_control")} == {"train_policy"}
    shared = [artifact.stage for artifact in graph.of_study("law_algorithms")]
    assert shared.count("grade_answers") == 2 and shared.count("train_policy") == 4
    for study in config["studies"].values():
        study["benchmarks"] = []
    graph = Graph(load_config(config), ROOT)
    assert not graph.of_stage("sample_answers") and not graph.report.spec["config"]["baselines"]
    config["studies"]["reward_ood"]["benchmarks"] = ["moon"]
    with pytest.raises(ConfigError, match="studies.reward_ood.benchmarks: 'moon' is not one of world"):
        load_config(config)


def test_a_config_may_extend_one_that_extends_another_but_not_in_a_circle(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "CONFIGS", tmp_path)
    (tmp_path / "first.yaml").write_text((ROOT / "config" / "nano.yaml").read_text())
    (tmp_path / "second.yaml").write_text("{extends: first, title: Second, seed: 2}")
    (tmp_path / "third.yaml").write_text("{extends: fourth}")
    (tmp_path / "fourth.yaml").write_text("{extends: third}")
    config = load_config({"extends": "second", "seed": 3})
    assert (config.title, config.seed, config.teacher) == ("Second", 3, raw()["teacher"])
    with pytest.raises(ConfigError, match="config: extends: third -> fourth -> third is a circle"):
        load_config({"extends": "third"})


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
        ("algorithms.grpo.update.offload", "all", "offload: all with backend single: none"),
        ("judges.judge.training.offload", "optimizer", "offload: optimizer with backend single: none"),
        ("entropy.none.loss", "ppo_clop", "entropy.none.loss: 'ppo_clop': input should be 'reinforce', 'ppo_clip'"),
        (
            "studies.reward_by_entropy.rewards",
            ["rulle"],
            "studies.reward_by_entropy.rewards: 'rulle' is not one of .*rule",
        ),
        ("teacher", "nobody", "teacher: 'nobody' is not one of base, judge_base, teacher"),
        ("judges.judge.base", "x", "judges.judge.base: 'x' is not one of"),
        ("placement", {"train_polcy": {}}, "placement: 'train_polcy' is not one of"),
        ("studies.reward_by_entropy.seeds", [], "studies.reward_by_entropy.seeds: .*at least 1 item"),
        (
            "entropy.kl_cov.options.kl_cov_ratio",
            1.5,
            "entropy.kl_cov.options.kl_cov_ratio: 1.5: .*less than",
        ),
        ("entropy.kl_cov.options.kl_cov_rato", 0.1, "kl_cov_rato: unknown key; did you mean 'kl_cov_ratio'"),
        ("entropy.none.options.clip_high", -3, "entropy.none.options.clip_high: -3"),
        ("entropy.none.options.dual_clip", 0.5, "entropy.none.options.dual_clip: 0.5: .*greater than 1"),
        (
            "entropy.none",
            {"loss": "clip_cov", "options": {"cov_low": 6}},
            "none.options: cov_low 6.0 is not below",
        ),
        ("entropy.none", {"loss": "gspo", "aggregation": "token-mean"}, "entropy.none.aggregation: 'token-mean'"),
        ("algorithms.grpo.advantage.name", "gae", "algorithms.grpo.advantage.name: 'gae': input should be"),
        ("algorithms.grpo.advantage.options", {"gamma": 0.9}, "advantage.options: gamma 0.9 .* needs kl_level: token"),
        ("algorithms.grpo.update.betas", [1.0, 0.9], "algorithms.grpo.update.betas.0: 1.0: .*less than 1"),
        ("algorithms.grpo.normalize_reward", True, "algorithms.grpo: normalize_reward: cancelled by grpo"),
        (
            "algorithms.grpo.rollout.overlong_buffer",
            99,
            "grpo: rollout.overlong_buffer: 99 exceeds max_tokens",
        ),
        ("algorithms.grpo.update.backend", "zero3", "update.backend: 'zero3' needs environment: deepspeed"),
        (
            "placement",
            {"train_policy": {"gpus": 2}},
            "'single' is one process, but placement.train_policy starts 2",
        ),
        ("algorithms.grpo.rollout.engine", "vllm", "grpo.rollout.engine: 'vllm' needs environment: vllm-cpu"),
        ("algorithms.grpo.rollout.importance_cap", 2.0, "rollout.importance_cap: a setting of"),
        ("models.base.sampling", {"engine": "vllm"}, "models.base.sampling.engine: 'vllm' needs environment"),
        ("models.base.sampling", {"tensor_parallel": 2}, "tensor_parallel: the engine inprocess runs on one GPU"),
        ("validation.questions", 9999, "validation.questions: 9999 exceeds the 250 rows of questions.validation"),
        ("datasets.questions.splits.train.rows", 8, "rollout.prompts: 32 exceeds the 8 rows of questions.train"),
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


def test_numbers_may_be_written_as_the_papers_do():
    """YAML 1.1 reads 2e-4 as a string."""
    config = load_config(edited("entropy.kl_cov.options.kl_cov_ratio", "2e-4"))
    assert config.entropy["kl_cov"].options.kl_cov_ratio == 2e-4


def test_default_options_are_those_of_the_code():
    """The classes of the config repeat what the trainer's modules hold, and may not drift from it."""
    from workflow_scripts.rl.advantages import DEFAULTS
    from workflow_scripts.rl.losses import LOSSES, loss_aggregations, loss_options

    for name in LOSSES:
        parsed = TypeAdapter(EntropyControl).validate_python({"loss": name})
        assert parsed.options.model_dump() == loss_options(name), name
        assert parsed.aggregation in loss_aggregations(name)
    for name, defaults in DEFAULTS.items():
        assert TypeAdapter(Advantage).validate_python({"name": name}).options.model_dump() == defaults, name
