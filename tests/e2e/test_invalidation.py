"""The invalidation matrix, run: after each change, snakemake does exactly this to each job (tests/e2e/matrix.py)."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.e2e import changes
from tests.e2e.matrix import MATRIX, STAGES, Row, as_line, read
from tests.project import Project

LETTERS = {"computed": "C", "restored": "r", "error": "E"}
# Run in the project's folder, so that its code and its config decide.
JOBS = """
import sys, yaml
from pathlib import Path
from workflow_scripts.config.artifact import STABLE
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import load_config
graph = Graph(load_config(yaml.safe_load(Path(sys.argv[1]).read_text())), Path.cwd())
for job in graph.artifacts:
    print(job.stage, job.stage if job.stage in STABLE else job.name)
"""
CHAINS = read(MATRIX)


@pytest.mark.parametrize("chain", CHAINS, ids=[chain[0].name for chain in CHAINS])
def test_every_job_is_computed_restored_or_left_alone(project, chain, record_property):
    record_property("rows", len(chain))
    for row in chain:
        assert as_line(row.name, outcomes(project, row)) == str(row)
        record_property("right", 1)


def test_an_edit_while_a_job_is_queued_stops_it(project, record_property):
    """The job line of the old plan is run after the edit: one line, and no artifact."""
    record_property("rows", 1)
    job = next(path for path in project.artifacts("policies") if ".kl_cov." in path.name)
    spec = json.loads((job / "provenance.json").read_text())["spec"]
    shutil.rmtree(job)
    changes.the_code_of_a_loss(project)
    stage = ("--spec", json.dumps(spec), "--output", str(job / "manifest.json"), "--work", "results/work")
    done = project.python("workflow_scripts.stages.train_policy", *stage)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].endswith("the code of train_policy changed while the job was queued")
    assert not job.exists()
    record_property("right", 1)


@pytest.mark.parametrize("profile", ["local", "slurm"])
def test_a_profile_plans_what_plain_snakemake_plans(project, profile, record_property):
    if profile == "slurm":
        pytest.importorskip("snakemake_executor_plugin_slurm")
    record_property("rows", 1)
    arguments = ("--workflow-profile", f"config/profiles/{profile}")
    assert project.planned(*arguments) == set()
    changes.an_entropy_coefficient(project)
    assert project.planned(*arguments) == project.planned() != set()
    record_property("right", 1)


def outcomes(project: Project, row: Row) -> tuple[str, ...]:
    """Make the change and run: for each stage a letter per job that the config asks for, sorted by name."""
    arguments = row.change(project) or []
    fails = any("E" in cell for cell in row.expected)
    held_back = project.planned(*arguments) if fails else ()
    ends = dict.fromkeys(held_back, "-")
    ends |= {job: LETTERS[end] for job, end in project.jobs(*arguments, fails=fails).items()}
    jobs = jobs_of(project)
    assert set(ends) <= set(jobs)
    return tuple("".join(ends.get(job, ".") for job in jobs if job[0] == stage) or "0" for stage in STAGES)


def jobs_of(project: Project) -> list[tuple[str, str]]:
    """(stage, name) of every job that the config asks for, sorted."""
    described = subprocess.run(
        [sys.executable, "-c", JOBS, str(project.config)],
        cwd=project.root,
        env={"PYTHONPATH": str(project.root)},
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return sorted(tuple(line.split()) for line in described.stdout.splitlines())
