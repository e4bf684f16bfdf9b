"""Only the downloads use a network, and they run where Snakemake runs; all other stages work without any."""

import re
import socket
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.hub import REVISION, TOKEN, Hub, serving
from tests.offline import cut_off, notes, own_network
from tests.project import Project
from workflow_scripts.artifacts.provenance import read_provenance
from workflow_scripts.config.stages import STAGES

DOWNLOADS = ("fetch_model", "fetch_dataset")
QUESTIONS = [{"question": f"What is {n} + {n}?", "answer": str(2 * n), "topic": "sums"} for n in range(40)]
README = """---
configs:
- config_name: main
  data_files: [{split: train, path: main/*.parquet}]
- config_name: other
  data_files: [{split: train, path: other/*.parquet}]
---
"""


def stage_of(command: str) -> str:
    found = re.search(r"workflow_scripts\.stages\.(\w+)", command)
    return found[1] if found else ""


def test_the_whole_dag_runs_without_a_network(finished):
    """Every stage ran under the hook, which saw no connection and no look-up of a name, not even of loopback."""
    found = notes(finished.root.parent / "network.log")
    assert {stage_of(note.command) for note in found if note.what == "started"} >= set(STAGES) - set(DOWNLOADS)
    assert [note for note in found if note.what != "started"] == []


def test_the_hook_refuses_and_the_namespace_has_no_way_out(tmp_path):
    """The two fences of the test above hold: a process that does connect is seen and stopped."""
    project = Project(tmp_path)
    project.variables = cut_off(project, tmp_path / "log")
    probe = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)"
    done = subprocess.run([sys.executable, "-c", probe], env=project.environment, capture_output=True, text=True)
    assert "PermissionError: the tests let nobody talk to" in done.stderr
    assert [note.what for note in notes(tmp_path / "log")] == ["started", "refused"]
    front = own_network()
    if not front:
        pytest.skip("this machine lets nobody make a network namespace: the hook was the only fence")
    done = subprocess.run([*front, sys.executable, "-c", probe], capture_output=True, text=True)
    assert "Network is unreachable" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as here:
        near = f"import socket; socket.create_connection(('127.0.0.1', {here.getsockname()[1]}), timeout=5)"
        assert subprocess.run([sys.executable, "-c", near]).returncode == 0
        assert subprocess.run([*front, sys.executable, "-c", near], capture_output=True).returncode != 0


@pytest.fixture
def hub(finished, tmp_path):
    """A hub with the base policy of the finished run, and a data set of two configurations."""
    hub = Hub()
    (base,) = (folder for folder in finished.artifacts("models") if folder.name.startswith("base."))
    hub.add_folder("model", "owner/Base-0.1B", base / "model")
    for name, rows in (("main", QUESTIONS), ("other", [{**QUESTIONS[0], "question": "Another?"}])):
        (tmp_path / "set" / name).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "set" / name / "train-00000.parquet")
    (tmp_path / "set" / "README.md").write_text(README)
    hub.add_folder("dataset", "owner/sums", tmp_path / "set").private = True
    with serving(hub):
        yield hub


@pytest.fixture
def fetching(project, hub):
    """The micro project with policy and training questions from the hub."""
    config = project.settings()
    config["models"]["hubbed"] = {
        "template": "policy_nano",
        "source": {"kind": "hub", "repo": "owner/Base-0.1B", "revision": REVISION},
    }
    columns = {"prompt": "question", "reference": "answer", "subject": "topic"}
    source = {"kind": "hub", "repo": "owner/sums", "revision": REVISION, "name": "main", "columns": columns}
    config["datasets"]["sums"] = {"source": source, "grading": "text", "splits": {"train": {"rows": 30}}}
    study = config["studies"]["reward_by_entropy"]
    config["studies"] = {"hubbed": {**study, "policies": ["hubbed"], "data": ["sums.train"], "rewards": ["rule"]}}
    project.config.write_text(yaml.safe_dump(config, sort_keys=False))
    project.variables = {**cut_off(project, project.root / "network.log"), "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN}
    return project


def test_downloads_alone_ask_the_hub_and_the_arm_trains_on_what_they_brought(fetching, hub):
    jobs = fetching.jobs("policies")
    assert {stage for stage, _ in jobs} == {*DOWNLOADS, "prepare_model", "sample_data", "train_policy"}
    assert set(jobs.values()) == {"computed"}
    found = notes(fetching.root / "network.log")
    assert {stage_of(note.command) for note in found if note.what == "started"} >= {stage for stage, _ in jobs}
    assert {stage_of(note.command) for note in found if note.what == "near"} == set(DOWNLOADS)
    assert [note for note in found if note.what == "refused"] == []
    assert TOKEN in hub.tokens and hub.in_command_lines == set()

    (sums,) = (folder for folder in fetching.artifacts("data") if folder.name.startswith("sums."))
    prompts = pq.read_table(sums / "train.parquet").column("prompt").to_pylist()
    assert len(prompts) == 30 and set(prompts) <= {row["question"] for row in QUESTIONS}
    (model,) = (folder for folder in fetching.artifacts("models") if folder.name.startswith("hubbed-"))
    (download,) = (folder for folder in fetching.artifacts("downloads") if "owner_base" in folder.name)
    weights = "model.safetensors"
    assert (model / "model" / weights).samefile(download / "snapshot" / weights)  # no second copy on disk

    holding = [path for path in fetching.root.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert holding == []  # results, logs, manifests, provenance, .snakemake


def test_what_was_downloaded_serves_new_settings_without_the_hub(fetching, hub):
    """Another split, another name, a lost model: the downloads stand, and a run needs no network any more."""
    assert set(fetching.jobs("downloads").values()) == {"computed"}
    hub.repos.clear()
    fetching.set("datasets.sums.splits.train.rows", 20)
    assert fetching.plan("data", "models")["fetch_dataset"] == 0
    jobs = fetching.jobs("policies")
    assert not {stage for stage, _ in jobs} & set(DOWNLOADS) and set(jobs.values()) == {"computed"}
    assert fetching.maintain("verify").returncode == 0
    for folder in fetching.artifacts("downloads"):
        assert read_provenance(folder)["stage"] in DOWNLOADS


def test_a_refused_download_is_one_line_and_stops_what_needs_it_alone(fetching, hub):
    del hub.repos["dataset", "owner/sums"]
    jobs = fetching.jobs("--keep-going", "data", "models", fails=True)
    assert {stage for (stage, _), outcome in jobs.items() if outcome == "error"} == {"fetch_dataset"}
    assert ("prepare_model", "hubbed") in jobs and not fetching.artifacts("downloads")[1:]
