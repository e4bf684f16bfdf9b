"""Whatever is killed or damaged: nothing is lost, and the next run ends with the same bytes."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.benchmarks.faults.bench import Bench
from tests.benchmarks.faults.local import dead_lock, full_disk, kill_controller, kill_stage, truncated_parquet
from tests.project import Project


def digests(project: Project, *folders: str) -> dict[str, bytes]:
    """Manifests by path: they hold the checksum of every file."""
    return {
        f"{folder}/{path.name}": (path / "manifest.json").read_bytes()
        for folder in folders
        for path in project.artifacts(folder)
    }


def forget(project: Project) -> None:
    """A results folder as on the first day."""
    shutil.rmtree(project.root / "results")
    shutil.rmtree(project.root / ".snakemake")


def test_two_runs_from_one_seed_give_the_same_bytes(finished, project):
    forget(project)
    assert project.run("policies", "judges").returncode == 0
    kinds = ("data", "models", "exploration", "labels", "judges", "policies")
    first, second = digests(finished, *kinds), digests(project, *kinds)
    assert len(second) > 10 and second.items() <= first.items()


def test_a_killed_trainer_is_taken_up_and_ends_with_the_same_bytes(finished, project):
    """SIGKILL of one arm after its first checkpoint; the controller is ended too, as by a crash of the machine."""
    for path in (*project.artifacts("policies"), project.root / "results" / "work" / "train_policy"):
        shutil.rmtree(path)
    arm = next(path.name for path in finished.artifacts("policies") if ".judge_soft.kl_cov." in path.name)
    controller = start(project, f"results/policies/{arm}/manifest.json")
    checkpoints = project.root / "results" / "work" / "train_policy" / arm / "checkpoints"
    trainer = wait_for_trainer(controller, checkpoints)
    os.kill(controller.pid, signal.SIGKILL)
    os.kill(trainer, signal.SIGKILL)
    controller.wait()
    assert list(checkpoints.iterdir()) and not (checkpoints.parent / "done").exists()
    done = project.run("--ignore-incomplete", "policies")
    assert done.returncode == 0, done.stdout[-2000:]
    log = project.root / "results" / "logs" / "train_policy" / f"{arm}.log"
    assert "resum" in log.read_text()
    assert digests(project, "policies") == digests(finished, "policies")


@pytest.fixture(scope="module")
def bench(arm, tmp_path_factory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"), arm)


@pytest.mark.parametrize(
    "fault", [kill_stage, kill_controller, full_disk, truncated_parquet, dead_lock], ids=lambda fault: fault.__name__
)
def test_a_fault_costs_nothing(bench, fault):
    """Each once, as `python -m tests.benchmarks.faults` has them again and again; the trainer's are in test_kill.py."""
    bench.reset()
    try:
        assert fault(bench, random.Random(0)).identical
    except PermissionError as reason:
        pytest.skip(str(reason))


def start(project: Project, target: str) -> subprocess.Popen:
    """Snakemake in a process group of its own, its children with it."""
    command = [sys.executable, "-m", "snakemake", "--configfile", str(project.config), "--cores", "1", target]
    environment = {**os.environ, "PYTHONPATH": str(project.root), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=project.root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    )


def wait_for_trainer(controller: subprocess.Popen, checkpoints: Path) -> int:
    """Pid of the trainer as soon as it has a checkpoint; it is stopped so that it gets no further."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and controller.poll() is None:
        if any(checkpoints.glob("step-*/state.json")):
            trainer = json.loads((checkpoints.parent / "lock").read_text())["pid"]
            os.kill(trainer, signal.SIGSTOP)
            return trainer
        time.sleep(0.005)
    raise AssertionError("the trainer made no checkpoint")


def test_a_missing_file_source_is_one_line(project):
    config = project.settings()
    config["datasets"]["mine"] = {
        "source": {"kind": "file", "path": "nowhere.jsonl"},
        "splits": {"test": {"rows": 3}},
    }
    config["benchmarks"]["mine"] = {**config["benchmarks"]["world"], "data": "mine.test"}
    project.config.write_text(yaml.safe_dump(config))
    done = project.run("data")
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if line.startswith("sample_data: ")]
    assert lines and "nowhere.jsonl" in lines[0]


def test_nothing_is_touched_by_a_stage_that_fails(finished, project):
    """A damaged input fails the arms that read it; what stood before stands after."""
    before = digests(project, "data", "models", "judges", "policies")
    base = next(path for path in project.artifacts("models") if path.name.startswith("base"))
    weights = base / "model" / "model.safetensors"
    weights.unlink()
    weights.write_bytes(b"nothing")
    project.set("algorithms.grpo.steps", 3)
    done = project.run("policies")
    assert done.returncode == 1
    assert "model.safetensors: checksum differs from the manifest: the file is damaged" in done.stdout
    assert digests(project, "data", "models", "judges", "policies") == before
