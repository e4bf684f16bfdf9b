"""A grid of a thousand arms: jobs that read all arms start, though Linux takes 128 KiB an argument."""

import re
import subprocess

import pytest
import yaml

from tests.project import ROOT, Project

LONGEST_ARGUMENT = 128 * 1024  # MAX_ARG_STRLEN
ARMS = 1002
STUDY = {
    "title": "grid",
    "policies": ["base"],
    "data": ["questions.train"],
    "algorithms": ["grpo"],
    "rewards": ["rule", "judge_soft", "judge_binary"],
    "entropy": ["none", "clip_higher"],
    "seeds": list(range(ARMS // 6)),
}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    project = Project.copy(ROOT, tmp_path_factory.mktemp("grid") / "project")
    project.config.write_text(yaml.safe_dump({"extends": "nano", "studies": {"grid": STUDY}}))
    return project


@pytest.fixture(scope="module")
def commands(grid):
    """The shell lines of all jobs, by stage."""
    done = grid.snakemake("-n", "--printshellcmds", "--quiet", "reason")
    assert done.returncode == 0, done.stdout[-3000:]
    lines = re.findall(r"^Shell command: (.* -m workflow_scripts\.stages\.(\w+) .*)$", done.stdout, re.MULTILINE)
    found = {}
    for command, stage in lines:
        found.setdefault(stage, []).append(command)
    return found


def test_every_job_of_the_grid_has_a_command(commands):
    counts = {stage: len(lines) for stage, lines in commands.items()}
    assert counts["train_policy"] == ARMS and counts["sample_answers"] == counts["grade_answers"] == ARMS + ARMS // 6
    assert counts["fit_entropy_law"] == counts["compare_results"] == counts["render_report"] == 1


def test_a_job_of_one_arm_fits_on_its_command_line(commands):
    longest = {stage: max(map(len, lines)) for stage, lines in commands.items()}
    assert {stage for stage, length in longest.items() if length > 16 * 1024} == {
        "fit_entropy_law",
        "compare_results",
        "render_report",
    }


@pytest.mark.parametrize("stage", ["fit_entropy_law", "compare_results", "render_report"])
def test_a_job_of_all_arms_starts(grid, commands, stage):
    """It gets as far as its first input, which is not there."""
    assert len(commands[stage][0]) > LONGEST_ARGUMENT
    script = grid.root / f"{stage}.sh"  # what Snakemake does with a long shell command
    script.write_text(commands[stage][0])
    done = subprocess.run(["bash", script], cwd=grid.root, capture_output=True, text=True, env=grid.environment)
    assert done.returncode == 1
    assert re.fullmatch(rf"{stage}: results/\S+/manifest\S*\.json: input is missing  \(log: \S+\)\n", done.stderr)
