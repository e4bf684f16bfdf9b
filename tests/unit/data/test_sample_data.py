"""The stage on local files, from config to manifest: counts conserved, benchmarks protected, changed files noticed."""

import json

import pytest
import yaml

from workflow_scripts.artifacts import fingerprint as module
from workflow_scripts.artifacts.fingerprint import ROOT, fingerprint
from workflow_scripts.config.artifact import spec_text
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import load_config
from workflow_scripts.stages import sample_data

COLUMNS = {"prompt": "question", "reference": "answer", "answer": "hashes"}


class Project:
    """A results folder, and the stage as a rule would call it on the data sets `bench` and `pool`."""

    def __init__(self, root):
        self.root = root
        self.write("bench", ["What is 6 * 7?", "What is 2 + 2?"])
        self.write("pool", ["what is 6*7", "What is 1 + 1?", "What is 1 + 1?", "What is 3 + 3?", "No answer"])

    def write(self, name, questions):
        answers = ("no mark" if question == "No answer" else "so it is\n#### 1,042" for question in questions)
        rows = [{"question": q, "answer": a} for q, a in zip(questions, answers, strict=True)]
        (self.root / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def artifact(self, name):
        config = yaml.safe_load((ROOT / "config" / "nano.yaml").read_text()) | {"results": str(self.root)}
        for dataset, split, against in (("bench", "test", []), ("pool", "train", ["bench"])):
            source = {"kind": "file", "path": str(self.root / f"{dataset}.jsonl"), "columns": COLUMNS}
            config["datasets"][dataset] = {"source": source, "splits": {split: {}}, "against": against}
        return Graph(load_config(config), ROOT).data(name, 0)

    def run(self, artifact):
        arguments = ["--spec", spec_text(artifact), "--output", str(self.root / artifact.manifest)]
        for role, upstream in artifact.inputs.items():
            arguments += ["--input", f"{role}={self.root / upstream.manifest}"]
        return sample_data.main([*arguments, "--work", str(self.root / "work")])


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_a_pool_loses_the_questions_of_a_benchmark_and_every_row_is_accounted_for(project, capsys):
    for name in ("bench", "pool"):
        assert project.run(project.artifact(name)) == 0
    manifest = json.loads((project.root / project.artifact("pool").manifest).read_text())
    counts = {name: count for name, count in manifest["accounting"].items() if count}
    reasons = {"train.unanswered": 1, "train.duplicates": 1, "train.contaminated": 1}
    assert counts == {"train.loaded": 5, "train.kept": 2} | reasons
    assert manifest["files"]["train.parquet"]["rows"] == 2
    assert "train: 1 of 5 rows dropped as unanswered, first:" in capsys.readouterr().out


def test_a_changed_file_changes_the_key_and_stops_a_job_that_was_queued_before(project, capsys):
    before = project.artifact("bench")
    assert project.artifact("bench").key == before.key
    project.write("bench", ["What is 5 * 5?"])
    assert project.artifact("bench").key != before.key
    assert project.run(before) == 1
    assert "data set bench: " in capsys.readouterr().out.splitlines()[-1]
    assert not (project.root / before.manifest).exists()


def test_what_reads_foreign_data_does_not_count_for_a_generated_world():
    generated = module._closure(module._entries("sample_data", {"source": {"kind": "generator"}}))[0]
    assert "workflow_scripts.data.collect" not in generated
    lock = ROOT / "envs" / "cpu.txt"
    kinds = {fingerprint("sample_data", {"source": {"kind": kind}}, lock) for kind in ("generator", "hub", "file")}
    assert len(kinds) == 3
