"""The whole DAG with the real SmolLM2 on real and generated questions, in the small; config/smol.yaml as it is, dry."""

from collections import Counter

import pyarrow.parquet as pq

from tests.project import ROOT, Project

JOBS = {
    "sample_data": 3,
    "prepare_model": 4,
    "explore_policy": 1,
    "label_rollouts": 1,
    "distill_judge": 1,
    "audit_judge": 1,
    "train_policy": 2,
    "sample_answers": 3,
    "grade_answers": 3,
    "fit_entropy_law": 1,
    "compare_results": 1,
    "render_report": 1,
}


def test_the_config_for_one_gpu_can_be_planned(tmp_path):
    project = Project.copy(ROOT, tmp_path / "project")
    project.config = project.root / "config" / "smol.yaml"
    assert project.plan() == Counter(JOBS | {"train_policy": 6, "sample_answers": 7, "grade_answers": 7})


def test_every_stage_runs_with_a_pretrained_model(tmp_path):
    project = Project.copy(ROOT, tmp_path / "project")
    project.config = project.root / "tests" / "configs" / "smol_micro.yaml"
    ended = project.jobs()
    assert Counter(stage for stage, _ in ended) == Counter(JOBS)
    assert set(ended.values()) <= {"computed", "restored"}  # two arms may give the same answers after two updates
    page = (project.results / "report" / "index.html").read_text()
    assert "Entropy Bridge, smol scale in the small" in page
    (pairs,) = [folder for folder in project.artifacts("data") if folder.name.startswith("pairs")]
    table = pq.read_table(pairs / "train.parquet").to_pylist()
    (tasks,) = [folder for folder in project.artifacts("data") if folder.name.startswith("tasks")]
    others = {
        row["prompt"]
        for split in ("warmup", "explore", "train", "validation", "test")
        for row in pq.read_table(tasks / f"{split}.parquet").to_pylist()
    }
    assert len(table) == 16 and not {row["prompt"] for row in table} & others
    losses = {folder.name: pq.read_table(folder / "training.parquet")["loss"].to_pylist() for folder in _tuned(project)}
    assert len(losses) == 3 and all(found[-1] < found[0] for found in losses.values() if len(found) > 1)
    assert project.plan() == {}


def _tuned(project):
    return [folder for folder in project.artifacts("models") if (folder / "training.parquet").is_file()]
