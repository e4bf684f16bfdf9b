"""A new benchmark samples itself alone, a new grader or teacher samples nothing, a killed job goes on where it was."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.arm import DESCRIBE
from tests.e2e.killer import __file__ as KILLER
from tests.project import Project

MORE = {"data": "questions.test", "samples": 2, "max_tokens": 8, "graders": ["truth", "rule"]}
STUDY = "studies.reward_by_entropy"


def provenance(artifact: Path) -> dict:
    return json.loads((artifact / "provenance.json").read_text())


def evaluations(project: Project, kind: str) -> dict[str, Path]:
    """Artifacts by name, the newest of each."""
    found = sorted(project.artifacts("evaluations"), key=lambda path: provenance(path)["started"])
    return {path.name[:-11]: path for path in found if path.name.startswith(kind)}


def parts(artifact: Path) -> dict[str, str]:
    """What became of each part of an artifact, by the part's name."""
    return {name[:-11]: end for name, end in provenance(artifact)["parts"].items()}


def ends(project: Project, *arguments: str) -> dict[str, set[str]]:
    """Run; how the jobs of each stage ended."""
    found: dict[str, set[str]] = {}
    for (stage, _), end in project.jobs(*arguments).items():
        found.setdefault(stage, set()).add(end)
    return found


def test_a_new_benchmark_samples_itself_alone(project):
    before = evaluations(project, "answers")
    project.set("benchmarks.more", MORE)
    assert ends(project, "grades") == {"sample_answers": {"computed"}, "grade_answers": {"computed"}}
    after = evaluations(project, "answers")
    assert before.keys() == after.keys() and len(after) == 5
    for name, artifact in after.items():
        assert artifact != before[name] and parts(artifact) == {"world": "kept", "more": "computed"}
        assert os.path.samefile(artifact / "world.parquet", before[name] / "world.parquet")
    for artifact in evaluations(project, "grades").values():
        computed = {name for name, end in parts(artifact).items() if end == "computed"}
        assert computed == {"more.truth", "more.rule"}
    assert project.maintain("verify").returncode == 0


def test_a_new_grader_samples_nothing_and_asks_nobody_else(project):
    project.set("benchmarks.world.graders", ["truth", "rule", "teacher"])
    assert ends(project, "grades") == {"grade_answers": {"computed"}}
    assert all(set(parts(path).values()) == {"kept"} for path in evaluations(project, "grades").values())
    project.set("benchmarks.world.graders", ["truth", "rule", "teacher", "contains"])
    assert ends(project, "grades") == {}  # the artifact is still there
    project.set("judge", "judge")
    project.set("benchmarks.world.graders", ["truth", "rule", "teacher", "contains", "judge"])
    assert ends(project, "grades") == {"grade_answers": {"computed"}}
    for artifact in evaluations(project, "grades").values():
        assert {name for name, end in parts(artifact).items() if end == "computed"} == {"world.judge"}


def test_another_teacher_samples_nothing_and_only_the_teacher_grades_again(project):
    project.set("models.teacher.source.training.steps", 41)
    project.set(f"{STUDY}.rewards", ["rule"])
    ended = ends(project, "grades")
    assert "sample_answers" not in ended and ended["grade_answers"] == {"computed"}
    for artifact in (path for name, path in evaluations(project, "grades").items() if "judge_soft" not in name):
        teacher = {name for name, end in parts(artifact).items() if end == "computed"}
        assert teacher == {"world.teacher"}


def test_votes_ask_the_teacher_anew(project):
    project.set("benchmarks.world.votes", 3)
    done = project.run("grades")
    assert done.returncode == 1 and "3 equal ones at vote_temperature 0" in done.stdout
    project.set("benchmarks.world.vote_temperature", 1.0)
    assert ends(project, "grades") == {"grade_answers": {"computed"}}
    assert parts(evaluations(project, "grades")["grades.base.s0"])["world.teacher"] == "computed"


def test_prune_removes_parts_that_no_config_needs_and_no_others(project):
    project.set("benchmarks.more", MORE)
    assert project.run("grades").returncode == 0
    folder = project.results / "work" / "parts"
    everything = set(folder.glob("*/*"))
    project.set("benchmarks", {"more": project.settings()["benchmarks"]["more"]})
    assert project.run("grades").returncode == 0
    assert project.maintain("prune", "--yes").returncode == 0
    assert set(folder.glob("*/*")) == {path for path in everything if path.name.startswith("more")}
    assert "nothing to prune" in project.maintain("prune").stdout and project.maintain("verify").returncode == 0


def test_a_damaged_part_is_named_and_removed(finished, project):
    part = next((project.results / "work" / "parts" / "sample_answers").iterdir())
    content = (part / "part.parquet").read_bytes()
    (part / "part.parquet").unlink()
    (part / "part.parquet").write_bytes(content[:-1])
    done = project.maintain("verify")
    assert done.returncode == 1 and f"damaged: {part.relative_to(project.root)} (checksum differs" in done.stdout
    done = project.maintain("repair")
    assert done.returncode == 0 and "Finished jobid" not in done.stdout and not part.exists()
    assert project.maintain("verify").returncode == 0


def test_a_killed_sampling_goes_on_at_the_first_unfinished_benchmark(project):
    """Killed while it puts the second of three benchmarks in its place; the bytes are those of a run without a kill."""
    for name in ("first", "second"):
        project.set(f"benchmarks.{name}", MORE)
    project.set(f"{STUDY}.rewards", ["rule"])
    project.set(f"{STUDY}.entropy", ["none"])
    job = describe(project, "sample_answers", "answers.base.s0")
    work = project.results / "work" / "sample_answers" / job["identity"]
    arguments = ["--spec", job["spec"], "--output", f"results/evaluations/{job['identity']}/manifest.json"]
    arguments += ["--work", "results/work", *(f"--input={role}={path}" for role, path in job["inputs"].items())]
    stage = "workflow_scripts.stages.sample_answers"
    killed = subprocess.run(
        [sys.executable, KILLER, "SIGKILL", "part", "2", stage, *arguments], cwd=project.root, env=project.environment
    )
    assert killed.returncode == -signal.SIGKILL
    recorded = json.loads((work / "parts.json").read_text())["parts"]
    assert [name[:-11] for name in recorded] == ["first"]
    assert project.run("answers").returncode == 0
    artifact = project.results / "evaluations" / job["identity"]
    assert parts(artifact) == {"first": "kept", "second": "computed", "world": "kept"}
    resumed = (artifact / "manifest.json").read_bytes()
    alone = project.root / "alone"
    arguments[3], arguments[5] = f"{alone}/{job['identity']}/manifest.json", f"{alone}/work"
    assert project.python(stage, *arguments).returncode == 0
    assert (alone / job["identity"] / "manifest.json").read_bytes() == resumed
    left = {path.name for path in (project.results / "work" / "parts" / "sample_answers").iterdir()}
    assert any(name.startswith(".second-") for name in left)  # of the killed process
    assert project.maintain("prune", "--yes").returncode == 0
    assert not [path for path in (project.results / "work" / "parts").glob("*/.*")]


def describe(project: Project, stage: str, name: str) -> dict:
    """Identity, spec and inputs of a job, as the project's code describes it."""
    described = subprocess.run(
        [sys.executable, "-c", DESCRIBE, str(project.config), name, stage],
        cwd=project.root,
        env=project.environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(described.stdout)
