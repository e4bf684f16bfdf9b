"""config/paper.yaml: every GPU job can be estimated, and the whole grid costs what its parts do."""

from pathlib import Path

from tests.project import ROOT
from workflow_scripts.maintain.graphs import load_graph
from workflow_scripts.planning.budget import studies_of
from workflow_scripts.planning.cost.model import STAGES, CostModel

PAPER = load_graph(Path(ROOT / "config" / "paper.yaml"))


def test_shapes_of_all_models_and_rows_of_all_splits_are_known():
    model = CostModel(PAPER)
    estimates = {artifact.identity: model.of(artifact) for artifact in PAPER.artifacts if artifact.stage in STAGES}
    assert model.unknown == set()
    trained = [estimates[identity] for identity in PAPER.of_stage("train_policy")]
    assert len(trained) == len(PAPER.arms) and all(found.seconds > 3600 for found in trained)


def test_every_arm_belongs_to_the_first_study_that_names_it():
    owners = studies_of(PAPER)
    for arm in PAPER.arms:
        assert owners["train_policy", PAPER.policy(arm).identity] == arm.studies[0]
