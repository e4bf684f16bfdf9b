"""Where models and pairs come from: settings that do not fit are named, and what enters a key is what decides."""

import copy

import pytest
import yaml

from tests.project import ROOT
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import ConfigError, load_config
from workflow_scripts.config.placed import placement_of
from workflow_scripts.config.placement import launcher

MICRO = yaml.safe_load((ROOT / "tests" / "configs" / "micro.yaml").read_text())
SMOL = yaml.safe_load((ROOT / "config" / "smol.yaml").read_text())
TUNED = {
    "kind": "finetuned",
    "base": "base",
    "data": "questions",
    "objective": "references",
    "training": {"steps": 3, "batch": 4, "lr": 1e-3},
}
LOCAL = {"kind": "gguf", "path": "models/smol.gguf", "sha256": "0" * 64}


def config(source=None, **datasets):
    raw = copy.deepcopy(MICRO)
    raw["models"]["base_again"] = {"template": "policy_nano", "source": source or TUNED}
    raw["studies"]["reward_by_entropy"]["policies"] = ["base_again"]
    raw["datasets"] |= datasets
    return raw


def models(raw):
    return {a.config["model"]: a for a in Graph(load_config(raw), ROOT).of_stage("prepare_model").values()}


def test_a_finetuned_model_is_made_from_its_base_and_its_data():
    made = models(config())
    tuned = made["base_again"]
    assert tuned.inputs == {"base": made["base"], "data": made["base_again"].inputs["data"]}
    assert tuned.inputs["data"].name == "questions.s0" and tuned.config["source"]["split"] == "train"


def test_its_key_holds_what_decides_and_not_how_things_are_called():
    key = models(config())["base_again"].key
    assert models(config(TUNED | {"data": "questions.train"}))["base_again"].key == key
    assert models(config(TUNED | {"data": "questions.explore"}))["base_again"].key != key
    assert models(config(TUNED | {"training": TUNED["training"] | {"lr": 2e-3}}))["base_again"].key != key
    sharded = config(TUNED | {"training": TUNED["training"] | {"backend": "zero3"}}) | {"environment": "deepspeed"}
    assert models(sharded)["base_again"].code != models(config() | {"environment": "deepspeed"})["base_again"].code


def test_a_file_is_its_digest_whatever_the_seed():
    raw = config(LOCAL)
    raw["studies"]["reward_by_entropy"]["seeds"] = [0, 1]
    (artifact,) = [a for a in models(raw).values() if a.config["model"] == "base_again"]
    assert artifact.name == "base_again" and artifact.config["source"]["sha256"] == "0" * 64
    assert models(config(LOCAL | {"sha256": "1" * 64}))["base_again"].key != artifact.key


def test_pairs_are_made_from_the_questions_of_another_data_set():
    pairs = {"source": {"kind": "pairs", "questions": ["questions"]}, "splits": {"train": {"rows": 9}}}
    raw = config(TUNED | {"data": "derived", "objective": "verdicts"}, derived=pairs)
    data = models(raw)["base_again"].inputs["data"]
    assert {role: artifact.name for role, artifact in data.inputs.items()} == {"questions:questions": "questions.s0"}


def edited(**changes):
    return TUNED | changes


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (edited(base="nobody"), "models.base_again.source.base: 'nobody' is not one of"),
        (edited(base="base_again"), "models.base_again.source.base: base_again -> base_again is a circle"),
        (edited(data="nothing"), "models.base_again.source.data: 'nothing' is not one of"),
        (edited(data="questions.none"), "models.base_again.source.data: 'questions.none' is not one of"),
        (edited(data="questions.a.b"), "models.base_again.source.data: 'questions.a.b': string should match"),
        (edited(data="pairs"), "objective: references is learnt from questions, but pairs has pairs"),
        (edited(objective="verdicts"), "objective: verdicts is learnt from pairs, but questions has questions"),
        (edited(training=TUNED["training"] | {"backend": "zero2"}), "source.training.backend: 'zero2' needs environ"),
        (LOCAL | {"sha256": None}, "either package, version and resource say which file it is, or path and sha256"),
        (LOCAL | {"package": "p"}, "either package, version and resource say which file it is, or path and sha256"),
    ],
)
def test_a_source_that_does_not_fit_is_one_line(source, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(config(source))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"questions": ["nothing"]}, "datasets.derived.source.questions: 'nothing' is not one of"),
        ({"questions": ["pairs"]}, "datasets.derived.source.questions: 'pairs' holds pairs, no questions"),
        ({"questions": ["questions"], "split": "none"}, "datasets.derived.splits.train.source: 'none' is not one of"),
        ({"questions": ["questions"], "against": ["pairs"]}, "datasets.derived: against: pairs are kept apart by"),
    ],
)
def test_pairs_that_do_not_fit_are_one_line(pairs, message):
    pairs, split = dict(pairs), {"rows": 9, "source": pairs.get("split", "train")}
    against = pairs.pop("against", [])
    pairs.pop("split", None)
    derived = {"source": {"kind": "pairs", **pairs}, "splits": {"train": split}, "against": against}
    with pytest.raises(ConfigError, match=message):
        load_config(config(derived=derived))


def test_a_finetuning_may_be_shared_by_ranks():
    raw = config(TUNED | {"training": TUNED["training"] | {"backend": "zero2"}}) | {"environment": "deepspeed"}
    raw["placement"] = {"prepare_model": {"gpus": 2, "nodes": 2}}
    assert "torch.distributed.run" in launcher(placement_of(load_config(raw), "prepare_model"), ranked=True)
    raw["models"]["base_again"]["source"] = TUNED
    with pytest.raises(ConfigError, match="'single' is one process, but placement.prepare_model starts 4"):
        load_config(raw)


def test_smol_keeps_what_teaches_a_judge_apart_from_what_it_judges():
    """Pairs, warm-up, exploration, training and tests are splits of one data set, which share no question."""
    graph = Graph(load_config(SMOL), ROOT)
    splits = {
        artifact.config["model"]: artifact.config["source"]["split"]
        for artifact in graph.of_stage("prepare_model").values()
        if artifact.config["source"]["kind"] == "finetuned"
    }
    assert splits == {"warm": "warmup", "teacher": "train", "judge_base": "train"}
    (pairs,) = [a for a in graph.of_stage("sample_data").values() if a.config["source"]["kind"] == "pairs"]
    assert {split["source"] for split in pairs.config["splits"].values()} == {"pairs"}
    used = {"explore": graph.of_stage("explore_policy"), "train": graph.of_stage("train_policy")}
    assert all(a.config["split"] == split for split, artifacts in used.items() for a in artifacts.values())
    assert len(graph.arms) == 6
