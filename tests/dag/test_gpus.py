"""A config of GPU jobs: what cannot fit stops the parse in one line, and a plan says what the rest will cost."""

import sys

import pytest

from tests.project import ROOT, Project


@pytest.fixture
def on_gpus(tmp_path):
    """micro.yaml with its trainings on a GPU each."""
    project = Project.copy(ROOT, tmp_path / "project")
    project.set("placement", {stage: {"gpus": 1, "minutes": 1} for stage in ("train_policy", "explore_policy")})
    return project


def plan(project: Project, *arguments: str) -> str:
    command = (sys.executable, "-m", "snakemake", "--configfile", str(project.config), *arguments)
    done = project.python("workflow_scripts.planning", *command)
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def test_what_cannot_fit_is_one_line(on_gpus):
    assert on_gpus.plan()["train_policy"]
    on_gpus.set("placement.train_policy.gpu_memory_gb", 3)
    done = on_gpus.snakemake("-n", "--quiet", "all")
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert line.startswith("config: placement.train_policy: base needs about ")
    assert (
        "GB of each GPU for learning (" in line and ", there are 3; what helps: activation_checkpointing: true" in line
    )


def test_the_plan_of_what_never_ran_is_by_the_cost_model(on_gpus):
    on_gpus.set("algorithms.grpo.steps", 400)  # longer than the minute that is placed
    text = plan(on_gpus)
    assert "train_policy" in text and "GPU-h by the cost model]" in text
    table, kinds, warnings, assumptions = text.split("GPU-hours to come")[1].split("\n\n")
    assert [line.split()[0] for line in table.splitlines()[1:]][-2:] == ["shared", "total"]
    assert kinds.splitlines()[-1].startswith("train_policy base: 4 jobs of up to ")
    assert "GB for learning (" in kinds or "GB for sampling (" in kinds
    assert "warning: placement.train_policy.minutes: 1 is below the " in warnings
    assert "never compared with this pipeline on GPUs" in assumptions


def test_the_plan_reads_the_config_as_snakemake_merges_it(on_gpus):
    steps = on_gpus.settings()["algorithms"]["grpo"]["steps"]
    longer = plan(on_gpus, "--config", f"algorithms={{grpo: {{steps: {100 * steps}}}}}")
    hours = [float(text.split("total")[1].split()[1].replace(",", "")) for text in (plan(on_gpus), longer)]
    assert hours[1] > 2 * hours[0]
