"""A study may name models that no arm trains and judges to audit, and explore on a mixture: run for real, at once."""

import csv

import pyarrow.parquet as pq
import pytest

SMALL = {"layers": 1, "width": 16, "heads": 2, "mlp": 32, "vocab": 400}


@pytest.fixture
def studies(project):
    """The finished micro run, with a study of a model as it is beside one arm, and one of a judge alone."""
    config = project.settings()
    source = config["models"]["base"]["source"]
    project.set("models.small", {"template": "policy_nano", "source": {**source, "architecture": SMALL}})
    mixture = {"kind": "mixture", "parts": ["questions.explore"]}
    project.set("datasets.pool", {"source": mixture, "splits": {"explore": {}}, "grading": "text"})
    project.set("explorations.pooled", {**config["explorations"]["stage1"], "data": "pool.explore"})
    project.set("judges.pooled", {**config["judges"]["judge"], "exploration": "pooled"})
    arm = config["studies"]["reward_by_entropy"] | {"rewards": ["rule"], "entropy": ["none"]}
    arm |= {"also": [{"entropy": ["kl_cov"]}], "models": ["small"]}
    project.set("studies", {"beside": arm, "audited": {"title": "A judge alone", "judges": ["pooled"]}})
    return project


def test_models_are_rows_beside_the_arms_and_judges_are_audited(studies):
    done = studies.outcomes()
    assert done["train_policy", "computed"] == 0 and done["sample_answers", "computed"] == 1  # the arms are there
    assert {done[stage, "computed"] for stage in ("prepare_model", "audit_judge", "render_report")} == {1}

    rows = pq.read_table(studies.results / "tables" / "comparison" / "comparison.parquet").to_pylist()
    assert {row["arm"] for row in rows if row["reward"] == "untrained"} == {"base", "small"}
    tables = studies.results / "report" / "tables"
    shown = list(csv.DictReader((tables / "study_beside.csv").open()))
    assert [row["arm"] for row in shown][:2] == ["base (untrained)", "small (no RL)"] and len(shown) == 4
    assert all(row["world, %"] for row in shown)
    assert "pooled" in (studies.results / "report" / "index.html").read_text()
    (pool,) = [path for path in studies.artifacts("data") if path.name.startswith("pool")]
    assert set(pq.read_table(pool / "explore.parquet")["subject"].to_pylist()) == {"questions"}


def test_their_targets_make_what_they_show(studies):
    plan = studies.plan("beside")
    assert plan["sample_answers"] == plan["grade_answers"] == plan["prepare_model"] == 1
    plan = studies.plan("audited")
    assert plan["audit_judge"] == 1 and "grade_answers" not in plan
