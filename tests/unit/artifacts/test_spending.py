"""What a killed attempt cost is known to the next one; GPUs are counted as allocated."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.unit.artifacts.test_stage import Bench
from workflow_scripts.artifacts import read_provenance
from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.artifacts.spending import SPENDING_SECONDS, allocated_gpus

ATTEMPT = """
import sys, time
from workflow_scripts.artifacts import run_stage

def build(stage):
    print("building", flush=True)
    end = time.monotonic() + 600
    while time.monotonic() < end:
        pass

run_stage("label_rollouts", build, sys.argv[1:])
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def attempt(bench, spec, seconds, how):
    """A real process that computes until it is killed."""
    command = ["--spec", json.dumps(spec), "--output", str(bench.output(spec)), "--work", str(bench.root / "work")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "0,1"}
    process = subprocess.Popen([sys.executable, "-c", ATTEMPT, *command], stdout=subprocess.PIPE, env=environment)
    assert process.stdout.readline() == b"building\n"
    time.sleep(seconds)
    process.send_signal(how)
    process.communicate()


def test_killed_attempts_are_part_of_the_cost(bench, monkeypatch):
    spec = bench.spec(text="x")
    attempt(bench, spec, SPENDING_SECONDS + 1, signal.SIGKILL)
    attempt(bench, spec, 0.5, signal.SIGTERM)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert bench.run(spec) == 0
    made = read_provenance(bench.output(spec).parent)
    own = bench.run(bench.spec(text="y"))
    alone = read_provenance(bench.output(bench.spec(text="y")).parent)
    assert own == 0 and alone["attempts"] == 1 and made["attempts"] == 3
    assert made["seconds"] - alone["seconds"] > SPENDING_SECONDS
    assert made["core_seconds"] - alone["core_seconds"] > SPENDING_SECONDS / 20  # the machine may be busy
    assert made["gpu_seconds"] > 2 * SPENDING_SECONDS and alone["gpu_seconds"] == 0
    assert not list((bench.root / "work").rglob("spent.json"))


def test_a_failed_attempt_is_part_of_the_cost(bench):
    def fail(stage):
        raise ValueError("broken")

    spec = bench.spec(text="x")
    assert bench.run(spec, fail) == 1 and bench.run(spec) == 0
    assert read_provenance(bench.output(spec).parent)["attempts"] == 2


def test_a_half_written_account_costs_nothing_but_itself(bench):
    spec = bench.spec(text="x")
    attempt(bench, spec, 0.5, signal.SIGTERM)
    next((bench.root / "work").rglob("spent.json")).write_text('{"attem')
    assert bench.run(spec) == 0 and read_provenance(bench.output(spec).parent)["attempts"] == 1


@pytest.mark.parametrize(
    ("environment", "gpus"),
    [
        ({}, 0),
        ({"CUDA_VISIBLE_DEVICES": "0,1,2"}, 3),
        ({"CUDA_VISIBLE_DEVICES": ""}, 0),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, 0),
        ({"CUDA_VISIBLE_DEVICES": "0", "SLURM_GPUS_ON_NODE": "8", "SLURM_JOB_NUM_NODES": "2"}, 16),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "SLURM_JOB_NUM_NODES": "2"}, 4),
    ],
    ids=str,
)
def test_gpus_are_counted_as_allocated(monkeypatch, environment, gpus):
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_GPUS_ON_NODE", "SLURM_JOB_NUM_NODES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert allocated_gpus() == gpus


def test_the_parts_of_the_code_are_on_record(bench):
    spec = bench.spec(text="x")
    bench.run(spec)
    code = read_provenance(bench.output(spec).parent)["code"]
    assert "workflow_scripts.stages.label_rollouts" in code["modules"] and "pyarrow" in code["libraries"]


RANKED = """
import sys, time
from workflow_scripts.artifacts import run_stage
from workflow_scripts.artifacts.schemas import QUESTIONS

def build(stage):
    while not stage.ranks.first and time.process_time() < 12:
        pass
    stage.write("t.parquet", {name: ["x"] for name in ("question_id", "subject", "prompt", "reference")}, QUESTIONS)

sys.exit(run_stage("label_rollouts", build, sys.argv[1:]))
"""


def test_the_core_seconds_of_all_ranks_count(bench, tmp_path):
    (tmp_path / "ranked.py").write_text(RANKED)
    spec = bench.spec(text="x")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(tmp_path / "ranked.py"), "--spec", json.dumps(spec), "--output", str(bench.output(spec))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "--work", str(bench.root / "work")], env=environment, check=True)
    made = read_provenance(bench.output(spec).parent)
    assert made["core_seconds"] > 12 and made["attempts"] == 1
