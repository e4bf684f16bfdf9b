"""One controller per directory: a dead one leaves no lock behind, a living one is named, and a dry run is free."""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.project import ROOT
from workflow_scripts.controller import part_arrays, submit_by_priority

WORKFLOW = """
from workflow_scripts import controller
controller.guard(workflow, jobs_differ=lambda rule: False)
rule wait:
    output: "done"
    resources: mem_mb=10, runtime=1
    shell: "touch started; while test ! -e go; do sleep 0.1; done; touch {output}"
"""
needs_executor = pytest.mark.skipif(
    importlib.util.find_spec("snakemake_executor_plugin_slurm") is None, reason="envs/slurm.txt is not installed"
)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    return tmp_path


@pytest.fixture
def controller(folder):
    """A snakemake that holds the directory's lock until there is a file `go`."""
    process = start(folder, "--cores", "1")
    end = time.monotonic() + 60
    while not (folder / "started").exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.1)
    yield process
    (folder / "go").touch()
    process.wait(60)


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]), **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    process = start(folder, *arguments, **environment)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def records(folder: Path) -> list[Path]:
    return list((folder / ".snakemake" / "controllers").glob("*"))


def kill(folder: Path, controller: subprocess.Popen) -> None:
    """SIGKILL: the lock stays, and the job goes on."""
    controller.send_signal(signal.SIGKILL)
    controller.wait()
    (folder / "go").touch()
    assert list((folder / ".snakemake" / "locks").iterdir())


def test_a_living_controller_is_named_and_left_alone(folder, controller):
    (record,) = records(folder)
    assert json.loads(record.read_text())["pid"] == controller.pid
    status, output = run(folder, "--cores", "1", "--ignore-incomplete")
    line = f"snakemake: process {controller.pid} on {socket.gethostname()} works in this directory"
    assert status == 1 and output.splitlines()[-1].startswith(line)
    assert records(folder) == [record]
    (folder / "go").touch()
    assert controller.wait(60) == 0 and "1 of 1 steps" in controller.stdout.read()
    assert not records(folder)


def test_looking_is_free_while_a_controller_lives(folder, controller):
    for arguments in (["-n"], ["--summary"], ["--list-rules"]):
        status, output = run(folder, *arguments)
        assert status == 0 and "works in this directory" not in output
    assert len(records(folder)) == 1


def test_the_lock_of_a_dead_controller_is_removed(folder, controller):
    kill(folder, controller)
    status, output = run(folder, "--cores", "1", "--ignore-incomplete", "--forceall")
    assert f"snakemake: process {controller.pid} on {socket.gethostname()} is dead: removing its lock\n" in output
    assert status == 0 and (folder / "done").exists() and not records(folder)


def test_a_controller_on_another_host_may_live(folder, controller):
    kill(folder, controller)
    (record,) = records(folder)
    record.write_text(json.dumps({**json.loads(record.read_text()), "host": "elsewhere"}))
    status, output = run(folder, "--cores", "1", "--ignore-incomplete")
    assert status == 1 and "on elsewhere works in this directory" in output and "--unlock" in output.splitlines()[-1]
    assert run(folder, "--unlock")[0] == 0
    assert run(folder, "--cores", "1", "--ignore-incomplete", "--forceall")[0] == 0


def test_a_lock_of_unknown_origin_is_left_to_snakemake(folder, controller):
    kill(folder, controller)
    shutil.rmtree(folder / ".snakemake" / "controllers")
    status, output = run(folder, "--cores", "1", "--ignore-incomplete", "--forceall")
    assert status == 1 and "cannot be locked" in output and list((folder / ".snakemake" / "locks").iterdir())


@needs_executor
def test_arrays_that_a_limit_would_cut_are_refused(folder):
    """Of six ready jobs and `jobs: 2` the executor submits none, and waits."""
    arguments = ("--executor", "slurm", "--slurm-array-jobs", "wait")
    status, output = run(folder, *arguments, "--jobs", "2")
    assert status == 1 and output.splitlines()[-1].startswith("snakemake: slurm-array-jobs needs `jobs: unlimited`")


@needs_executor
def test_a_host_without_a_cluster_is_one_line(folder):
    (folder / "bin").mkdir()
    for program in ("bash", "which"):  # `which` is how the executor looks for squeue and sacct
        (folder / "bin" / program).symlink_to(shutil.which(program))
    status, output = run(folder, "--executor", "slurm", "--jobs", "2", PATH=str(folder / "bin"))
    assert (status, output) == (1, "snakemake: squeue: there is no squeue on this host\n")


def test_rules_whose_jobs_differ_are_no_arrays(capsys):
    settings = SimpleNamespace(array_jobs="label_rollouts, sample_answers;grade_answers")
    part_arrays(settings, lambda rule: rule == "grade_answers")
    assert settings.array_jobs == "label_rollouts,sample_answers"
    assert "no arrays of grade_answers" in capsys.readouterr().err
    part_arrays(settings, lambda rule: False)
    assert settings.array_jobs == "label_rollouts,sample_answers" and capsys.readouterr().err == ""


def test_jobs_that_get_ready_together_are_submitted_by_priority():
    class Executor:
        def run_jobs(self, jobs):
            self.submitted = [job.name for job in jobs]

    submit_by_priority(Executor)
    executor = Executor()
    executor.run_jobs([SimpleNamespace(name=name, priority=rank) for name, rank in (("b", 2), ("c", 1), ("a", 3))])
    assert executor.submitted == ["a", "b", "c"]
