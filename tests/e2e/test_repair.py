"""Each kind of damage: nothing is planned, verify names it, a consumer stops with one line, repair makes it whole."""

import json
import os
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.project import Project
from workflow_scripts.config.artifact import FOLDERS

IN_PLACE = "checksum differs from the manifest; make repair computes it again"
RESTORED = "make repair restores it"


@dataclass
class Damage:
    """What was damaged, what verify says of it, what a consumer says, and the jobs that repair runs."""

    path: Path
    verify: str
    consumer: str
    jobs: tuple[str, ...]
    outcome: str = "restored"
    kind: str = "damaged"


def grades(project: Project) -> Path:
    return next(path for path in project.artifacts("evaluations") if path.name.startswith("grades."))


def flipped_byte(project: Project) -> Damage:
    """In place, as a bad disk or an editor does: the copy in the work directory is the same file."""
    path = project.artifacts("policies")[0] / "model" / "model.safetensors"
    overwrite(path, 100, bytes([path.read_bytes()[100] ^ 1]))
    return Damage(path, IN_PLACE, "checksum differs", ("train_policy",), "computed")


def truncated_table(project: Project) -> Damage:
    """By a copy that broke off: another file than the one in the work directory."""
    path = grades(project) / "world.parquet"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])
    return Damage(path, f"checksum differs from the manifest; {RESTORED}", "checksum differs", ("grade_answers",))


def deleted_file(project: Project) -> Damage:
    path = grades(project) / "world.parquet"
    path.unlink()
    return Damage(path, f"file is missing; {RESTORED}", "file is missing", ("grade_answers",))


def deleted_manifest(project: Project) -> Damage:
    path = grades(project) / "manifest.json"
    path.unlink()
    return Damage(path, RESTORED, "input is missing", ("grade_answers",), kind="missing")


def truncated_manifest(project: Project) -> Damage:
    path = grades(project) / "manifest.json"
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.truncate(40)
    remark = "not readable as JSON; make repair computes it again"
    return Damage(path, remark, "not readable as JSON", ("grade_answers",), "computed")


def deleted_folder(project: Project) -> Damage:
    folder = grades(project)
    shutil.rmtree(folder)
    return Damage(folder / "manifest.json", RESTORED, "input is missing", ("grade_answers",), kind="missing")


def damaged_provenance(project: Project) -> Damage:
    """Nothing but the report reads it, and it would take a line of nonsense for a run time."""
    path = grades(project) / "provenance.json"
    path.unlink()
    path.write_text("{}\n")
    return Damage(path, f"not a provenance; {RESTORED}", "", ("grade_answers",))


def upstream_and_consumer(project: Project) -> Damage:
    """The answers in place, so that they are computed again, and before the grades that are made from them."""
    folder = grades(project)
    answers = folder.with_name(folder.name.replace("grades.", "answers.").partition("-")[0])
    answers = next(answers.parent.glob(f"{answers.name}-*"))
    overwrite(answers / "world.parquet", 50, b"damage")
    overwrite(folder / "world.parquet", 50, b"damage")
    return Damage(
        folder / "world.parquet", IN_PLACE, "checksum differs", ("sample_answers", "grade_answers"), "computed"
    )


DAMAGES = [
    flipped_byte,
    truncated_table,
    deleted_file,
    deleted_manifest,
    truncated_manifest,
    deleted_folder,
    damaged_provenance,
    upstream_and_consumer,
]
CONSUMERS = {"train_policy": "sample_answers", "grade_answers": "compare_results", "sample_answers": "compare_results"}


@pytest.mark.parametrize("inflict", DAMAGES, ids=[inflict.__name__ for inflict in DAMAGES])
def test_damage_is_named_stops_its_reader_and_is_repaired(finished, project, tmp_path, inflict):
    damage = inflict(project)
    assert project.plan() == Counter()
    done = project.maintain("verify")
    line = rf"{damage.kind}: {damage.path.relative_to(project.root)} \(.*{re.escape(damage.verify)}\)"
    assert done.returncode == 1 and re.search(line, done.stdout), done.stdout
    if damage.consumer:
        done = consume(project, CONSUMERS[damage.jobs[0]], artifact_of(damage.path).name[-10:], tmp_path)
        *_, last = done.stdout.splitlines()
        assert done.returncode == 1 and str(damage.path.relative_to(project.root)) in last and damage.consumer in last
    done = project.maintain("repair")
    assert done.returncode == 0, done.stdout
    assert re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", done.stdout) == list(damage.jobs)
    outcome = f"{damage.outcome}: {artifact_of(damage.path).relative_to(project.root)}: the same bytes as before"
    assert outcome in done.stdout
    is_whole(finished, project)


def test_damage_in_the_work_copy_alone_is_mended_from_the_published_files(finished, project):
    folder = grades(project)
    copy = project.root / "results" / "work" / "grade_answers" / folder.name / "done" / "world.parquet"
    content = copy.read_bytes()
    copy.unlink()
    copy.write_bytes(content[:-1])
    assert project.plan() == Counter()
    done = project.maintain("verify")
    assert done.returncode == 1 and f"damaged: {copy.relative_to(project.root)} (checksum differs" in done.stdout
    done = project.maintain("repair")
    assert done.returncode == 0 and "Finished jobid" not in done.stdout
    assert copy.samefile(folder / "world.parquet")
    is_whole(finished, project)


def test_what_a_dead_process_left_needs_no_repair(finished, project):
    folder = grades(project)
    work = project.root / "results" / "work" / "grade_answers" / folder.name
    (work / "staging").mkdir()
    (work / "staging" / "world.parquet").write_bytes(b"half")
    (work / "lock").write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": "1", "slurm": None}))
    os.utime(work / "lock", (0, 0))
    done = project.maintain("repair")
    assert done.returncode == 0 and "nothing to repair" in done.stdout
    shutil.rmtree(folder)
    assert project.maintain("repair").returncode == 0
    is_whole(finished, project)


def test_repair_waits_for_nobody_and_refuses_while_a_job_works(project):
    folder = grades(project)
    shutil.rmtree(folder)
    (project.root / "results" / "work" / "grade_answers" / folder.name / "lock").write_text('{"host": "elsewhere"}')
    done = project.maintain("repair")
    assert done.returncode == 1 and "in use" in done.stdout.splitlines()[-1] and not folder.exists()


def test_other_bytes_than_before_are_said_and_their_readers_can_be_made_again(project):
    """A change that was wrongly accepted as one that changes nothing."""
    project.edit("workflow_scripts/stages/fit_entropy_law.py", "points=len(", "law_points=len(")
    assert project.maintain("accept", "--stage", "fit_entropy_law").returncode == 0
    law = project.root / "results" / "tables" / "entropy_law"
    overwrite(law / "law.parquet", 50, b"damage")
    done = project.maintain("repair")
    assert done.returncode == 0
    assert "computed: results/tables/entropy_law: other bytes than before" in done.stdout
    assert "results/report was made from the old content" in done.stdout
    done = project.maintain("verify")
    stale = "stale: results/report (made from another content of results/tables/entropy_law; "
    assert done.returncode == 1 and stale in done.stdout
    done = project.maintain("repair", "--stale")
    assert done.returncode == 0 and "computed: results/report" in done.stdout
    assert project.maintain("verify").returncode == 0


def test_a_repair_that_fails_leaves_what_was_there(finished, project):
    folder = project.artifacts("models")[0]
    overwrite(folder / "model" / "model.safetensors", 100, b"damage")
    manifest = (folder / "manifest.json").read_bytes()
    in_its_way = project.root / "results" / "work" / "prepare_model" / folder.name / "staging"
    in_its_way.write_text("a file where the stage makes a folder")
    done = project.maintain("repair")
    assert done.returncode == 1 and "prepare_model: [Errno 17] File exists" in done.stdout
    assert f"not repaired: {folder.relative_to(project.root)}" in done.stdout and "Traceback" not in done.stdout
    assert (folder / "manifest.json").read_bytes() == manifest
    in_its_way.unlink()
    assert project.maintain("repair").returncode == 0
    is_whole(finished, project)


def overwrite(path: Path, at: int, content: bytes) -> None:
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(content)


def artifact_of(path: Path) -> Path:
    return next(parent for parent in path.parents if re.search(r"-[0-9a-f]{10}$", parent.name))


def is_whole(finished: Project, project: Project) -> None:
    """Verify finds nothing, and all manifests are those of the undamaged run."""
    done = project.maintain("verify")
    assert done.returncode == 0 and "all intact" in done.stdout, done.stdout
    assert project.manifests() == finished.manifests()


def consume(project: Project, stage: str, damaged: str, elsewhere: Path) -> CompletedProcess:
    """Run a stage that reads the damaged key, with a work directory of its own, so that it has to read."""
    work = project.root / "results" / "work"
    records = [json.loads(path.read_text()) for path in work.glob(f"{stage}/*/done/provenance.json")]
    made = next(record for record in records if damaged in record["spec"]["inputs"].values())
    inputs = [f"--input={role}={manifest_of(work, key)}" for role, key in made["spec"]["inputs"].items()]
    output = elsewhere / made["name"] / f"manifest-{made['key']}.json"
    arguments = ["--spec", json.dumps(made["spec"]), "--output", str(output), "--work", str(elsewhere / "work")]
    return project.python(f"workflow_scripts.stages.{stage}", *arguments, *inputs)


def manifest_of(work: Path, key: str) -> str:
    """Where the manifest of a keyed artifact is, or was."""
    (made,) = work.glob(f"*/*-{key}")
    return f"results/{FOLDERS[made.parent.name]}/{made.name}/manifest.json"
