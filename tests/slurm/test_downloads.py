"""Under the SLURM profile downloads run where Snakemake runs; the jobs that read them go to the cluster, offline."""

import json

import pytest

from tests.hub import REVISION, TOKEN, Hub, serving
from tests.project import ROOT, Project
from tests.slurm.submission import Submission
from workflow_scripts.artifacts.provenance import read_provenance

ROWS = [{"question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(40)]


@pytest.fixture
def hub():
    hub = Hub()
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    hub.add("dataset", "owner/sums", {"train.jsonl": lines.encode()}, private=True)
    with serving(hub):
        yield hub


@pytest.fixture
def submission(cluster, tmp_path) -> Submission:
    """A fresh micro project whose arms train on a data set of the hub."""
    project = Project.copy(ROOT, tmp_path / "project")
    columns = {"prompt": "question", "reference": "answer"}
    source = {"kind": "hub", "repo": "owner/sums", "revision": REVISION, "columns": columns}
    project.set("datasets.sums", {"source": source, "grading": "text", "splits": {"train": {"rows": 30}}})
    project.set("studies.reward_by_entropy.data", ["sums.train"])
    submission = Submission(project, cluster)
    submission.fill_in_site()
    return submission


def test_a_download_is_no_slurm_job_and_its_token_is_seen_nowhere(submission, hub):
    assert submission.run("data", HF_ENDPOINT=hub.url, HF_TOKEN=TOKEN) == 0, submission.log[-3000:]
    project = submission.project
    (download,) = project.artifacts("downloads")
    assert read_provenance(download)["slurm"] is None
    (sums,) = (folder for folder in project.artifacts("data") if folder.name.startswith("sums."))
    jobs = submission.jobs()
    assert {job["rule"] for job in jobs} == {"sample_data"}
    assert read_provenance(sums)["slurm"] in {job["id"] for job in jobs}
    assert hub.tokens == {TOKEN} and hub.in_command_lines == set()
    holding = [path for path in project.root.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert holding == []
