"""The judge's settings: the paper's can be set, what an audit compares is part of its key, broken names are named."""

import copy

import pytest
import yaml

from tests.project import ROOT
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import ConfigError, load_config

MICRO = yaml.safe_load((ROOT / "tests" / "configs" / "micro.yaml").read_text())


def graph(training=None, **judge):
    config = copy.deepcopy(MICRO)
    config["judges"]["judge"] |= judge
    config["judges"]["judge"]["training"] |= training or {}
    config["environment"] = "deepspeed"
    return Graph(load_config(config), ROOT, {})


def only(graph, stage):
    return next(iter(graph.of_stage(stage).values()))


def test_the_papers_settings_can_be_set_and_a_backend_brings_its_code_into_the_key():
    paper = {"epochs": 1, "batch": 128, "lr": 5.0e-6, "backend": "zero3", "precision": "bfloat16"}
    plain, sharded = only(graph(), "distill_judge"), only(graph(paper), "distill_judge")
    assert sharded.config["training"]["lr"] == 5e-6 and sharded.config["training"]["backend"] == "zero3"
    assert plain.code != sharded.code


def test_models_that_are_compared_become_inputs_of_the_audit_alone():
    before = graph()
    second = {"kind": "model", "model": "teacher"}
    after = graph(audit={"compare": ["judge_base"], "second_rater": second})
    audit = only(after, "audit_judge")
    assert audit.inputs["compare:judge_base"] == audit.inputs["judge_base"]
    assert audit.inputs["second"] == audit.inputs["teacher"]
    assert audit.config["second_rater"]["template"] == audit.config["compare"]["judge_base"]["template"] == "judge_nano"
    assert audit.key != only(before, "audit_judge").key
    assert only(after, "distill_judge").key == only(before, "distill_judge").key


def test_imported_ratings_are_known_by_their_digest():
    files = [{"kind": "file", "path": "r.parquet", "sha256": digit * 64} for digit in "01"]
    keys = {only(graph(audit={"second_rater": file}), "audit_judge").key for file in files}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        ({"audit": {"compare": ["nobody"]}}, r"judges\.judge\.audit\.compare: 'nobody' is not one of"),
        ({"audit": {"second_rater": {"kind": "model", "model": "x"}}}, r"second_rater\.model: 'x' is not one of"),
        ({"audit": {"second_rater": {"kind": "file", "path": "r", "sha256": "0"}}}, r"second_rater.*sha256"),
        ({"gate": {"balanced_accuracy": 0, "kappa": -1, "false_positive_rate": 1, "ece": 2}}, r"gate\.ece"),
    ],
)
def test_mistakes_are_named_in_one_line(judge, message):
    with pytest.raises(ConfigError, match=message) as error:
        graph(**judge)
    assert "\n" not in str(error.value)
