"""The invalidation matrix: change X on a finished run, and exactly these jobs run, are restored, or stop.

Rows marked `plan` are decided by the dry run; where it matters whether a job computes or restores, it really runs.
"""

import json
import shutil
import subprocess
from collections import Counter

import pytest

from tests.project import CODE, ROOT, Project

ANALYSIS = {"fit_entropy_law": 1, "compare_results": 1, "render_report": 1}
TABLES = {"compare_results": 1, "render_report": 1}
ARM = {"train_policy": 1, "sample_answers": 1, "grade_answers": 1}
EVALUATION = {"sample_answers": 5, "grade_answers": 5}
NOTHING: dict[str, int] = {}


def comment(project: Project) -> None:
    _append(project, "workflow_scripts/rl/trainer.py", "# a remark\n")


def docstring(project: Project) -> None:
    path = project.root / "workflow_scripts/stages/train_policy.py"
    assert path.read_text().startswith('"""')
    path.write_text(path.read_text().replace('"""', '"""In other words. ', 1))


def formatting(project: Project) -> None:
    path = project.root / "workflow_scripts/rewards/judge.py"
    path.write_text(path.read_text().replace("\n\n\n", "\n\n\n\n") + "\n\n")


def touch(project: Project) -> None:
    for path in project.root.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            path.touch()


def fresh_clone(project: Project) -> None:
    """New checkout, no .snakemake, the same results."""
    for name in (*CODE, ".snakemake"):
        path = project.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    Project.copy(project.source, project.root)


def lost_snakemake(project: Project) -> None:
    shutil.rmtree(project.root / ".snakemake")


def inert_module(project: Project) -> None:
    project.edit("workflow_scripts/artifacts/lock.py", "HEARTBEAT_SECONDS = 15", "HEARTBEAT_SECONDS = 20")


def placement(project: Project) -> None:
    project.set("placement", {"train_policy": {"threads": 1, "memory_gb": 3, "minutes": 90}})


def reordered_config(project: Project) -> None:
    def backwards(value):
        return {key: backwards(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    import yaml

    project.config.write_text(yaml.safe_dump(backwards(project.settings()), sort_keys=False))


def helper_of_one_stage(project: Project) -> None:
    _append(project, "workflow_scripts/analysis/svg.py", "\nNEW = 1\n")


def helper_of_all_models(project: Project) -> None:
    _append(project, "workflow_scripts/models/loading.py", "\nNEW = 1\n")


def prompt_template(project: Project) -> None:
    path = project.root / "workflow_scripts/data/templates/judge_nano.txt"
    path.write_text("Q " + path.read_text())


def entropy_coefficient(project: Project) -> None:
    project.set("entropy.kl_cov.options.kl_cov_ratio", 0.1)


def swapped_parameters(project: Project) -> None:
    project.set("entropy.none.options", {"clip_low": 0.28, "clip_high": 0.2})


def reward_setting(project: Project) -> None:
    project.set("rewards.judge_soft.threshold", 0.6)


def new_arm(project: Project) -> None:
    project.set("studies.reward_by_entropy.rewards", ["rule", "judge_soft", "truth"])
    config = project.settings()
    config["rewards"]["truth"] = {"kind": "truth"}
    project.config.write_text(json.dumps(config))


def removed_arm(project: Project) -> None:
    project.set("studies.reward_by_entropy.rewards", ["rule"])


def new_seed(project: Project) -> None:
    project.set("studies.reward_by_entropy.seeds", [0, 1])


def new_loss_file(project: Project) -> None:
    shutil.copy(
        project.root / "workflow_scripts/rl/losses/reinforce.py", project.root / "workflow_scripts/rl/losses/mine.py"
    )
    entry = 'LOSSES = {\n    "mine": "workflow_scripts.rl.losses.mine",'
    project.edit("workflow_scripts/rl/losses/__init__.py", "LOSSES = {", entry)


def loss_of_some_arms(project: Project) -> None:
    _append(project, "workflow_scripts/rl/losses/kl_cov.py", "\nNEW = 1\n")


def library_version(project: Project) -> None:
    from workflow_scripts.artifacts.fingerprint import locked_versions

    version = locked_versions(ROOT / "envs/cpu.txt")["transformers"]
    project.edit("envs/cpu.txt", f"transformers=={version}", "transformers==0.0.1")


def new_benchmark(project: Project) -> None:
    config = project.settings()
    config["datasets"]["more"] = {**config["datasets"]["questions"], "splits": {"test": {"rows": 8}}}
    config["benchmarks"]["more"] = {**config["benchmarks"]["world"], "data": "more.test"}
    project.config.write_text(json.dumps(config))


def lost_outputs(project: Project) -> None:
    for folder in project.artifacts("policies"):
        shutil.rmtree(folder)


def _append(project: Project, file: str, text: str) -> None:
    with open(project.root / file, "a") as handle:
        handle.write(text)


JUDGE = {"explore_policy": 1, "label_rollouts": 1, "distill_judge": 1, "audit_judge": 1}
TWO_ARMS = {"train_policy": 2, "sample_answers": 2, "grade_answers": 2, **ANALYSIS}
THREE_ARMS = {"train_policy": 3, "sample_answers": 3, "grade_answers": 3, **ANALYSIS}
FOUR_ARMS = {"train_policy": 4, "sample_answers": 4, "grade_answers": 4, **ANALYSIS}
PLANS = [
    (comment, NOTHING),
    (docstring, NOTHING),
    (formatting, NOTHING),
    (touch, NOTHING),
    (fresh_clone, NOTHING),
    (lost_snakemake, NOTHING),
    (inert_module, NOTHING),
    (placement, NOTHING),
    (reordered_config, NOTHING),
    (new_loss_file, NOTHING),
    (helper_of_one_stage, {"render_report": 1}),
    (entropy_coefficient, TWO_ARMS),
    (reward_setting, TWO_ARMS),
    (loss_of_some_arms, TWO_ARMS),
    (new_arm, TWO_ARMS),
    (removed_arm, ANALYSIS),
    (new_benchmark, {"sample_data": 1, **EVALUATION, **TABLES}),
    (swapped_parameters, {**JUDGE, **THREE_ARMS}),
    (prompt_template, {"prepare_model": 2, **JUDGE, **TWO_ARMS, "grade_answers": 5}),
    (new_seed, {"sample_data": 3, "prepare_model": 3, **JUDGE, **FOUR_ARMS, **EVALUATION}),
]


@pytest.mark.parametrize(("change", "expected"), PLANS, ids=[change.__name__ for change, _ in PLANS])
def test_exactly_these_jobs_are_planned(project, change, expected):
    change(project)
    assert project.plan() == Counter(expected)


def test_after_a_run_nothing_is_planned(finished):
    assert finished.plan() == Counter()


def test_code_of_all_models_invalidates_what_loads_models_and_no_data(project):
    helper_of_all_models(project)
    jobs = project.plan()
    assert "sample_data" not in jobs and jobs["prepare_model"] == 3 and jobs["train_policy"] == 4


def test_lost_outputs_are_restored_and_what_follows_stays(project):
    lost_outputs(project)
    assert project.plan() == Counter()  # what was made from them stands
    assert project.outcomes("policies") == Counter({("train_policy", "restored"): 4})
    assert project.plan() == Counter()


def test_a_setting_flipped_and_flipped_back_computes_once(project):
    before = project.settings()
    entropy_coefficient(project)
    computed = project.outcomes("entropy_law")
    assert computed == Counter({("train_policy", "computed"): 2, ("fit_entropy_law", "computed"): 1})
    project.set("entropy", before["entropy"])
    assert project.outcomes("entropy_law") == Counter({("fit_entropy_law", "restored"): 1})


def test_a_change_upstream_that_gives_equal_bytes_restores_the_rest(project):
    _append(project, "workflow_scripts/stages/sample_data.py", "\nNEW = 1\n")
    found = project.outcomes("entropy_law")
    assert {outcome for stage, outcome in found if stage == "sample_data"} == {"computed"}
    assert {outcome for stage, outcome in found if stage != "sample_data"} == {"restored"}


def test_another_library_version_than_the_lock_file_stops(project):
    library_version(project)
    done = project.run("models")
    assert done.returncode == 1
    assert "transformers" in done.stdout and "pins 0.0.1: install it, or edit the lock file" in done.stdout


def test_an_edit_while_a_job_is_queued_stops_it(project):
    """The job line of the old plan is run after the edit."""
    job = next(path for path in project.artifacts("policies") if ".kl_cov." in path.name)
    spec = json.loads((job / "provenance.json").read_text())["spec"]
    shutil.rmtree(job)
    loss_of_some_arms(project)
    done = _stage(project, "train_policy", spec, job / "manifest.json")
    assert done.returncode == 1
    assert "the code of train_policy changed while the job was queued" in done.stdout.splitlines()[-1]
    assert not job.exists() or not (job / "manifest.json").exists()


def test_a_truncated_table_stops_its_reader_with_one_line(project):
    data = next(path for path in project.artifacts("data") if path.name.startswith("questions"))
    table = data / "train.parquet"
    content = table.read_bytes()
    table.unlink()
    table.write_bytes(content[: len(content) // 2])
    new_arm(project)
    assert project.plan()["sample_data"] == 0
    done = project.run("policies")
    assert done.returncode == 1
    assert f"{table.relative_to(project.root)}: checksum differs from the manifest" in done.stdout


def test_accepting_a_change_keeps_the_results(project):
    loss_of_some_arms(project)
    assert project.plan()["train_policy"] == 2
    done = _maintain(project, "accept", "--stage", "train_policy")
    assert done.returncode == 0 and "accepted as equal" in done.stdout
    assert project.plan() == Counter()


def test_prune_removes_what_the_config_no_longer_names(project):
    removed_arm(project)
    project.run()
    assert _maintain(project, "prune", input="n\n").returncode == 1
    assert len(project.artifacts("policies")) == 4
    assert _maintain(project, "prune", "--yes").returncode == 0
    assert len(project.artifacts("policies")) == 2 and project.plan() == Counter()


def test_verify_names_a_damaged_file(project):
    assert _maintain(project, "verify").returncode == 0
    model = next((project.root / "results" / "policies").glob("*/model/model.safetensors"))
    model.chmod(0o644)
    with open(model, "r+b") as file:
        file.write(b"damage")
    done = _maintain(project, "verify")
    assert done.returncode == 1 and f"damaged: {model.relative_to(project.root)}" in done.stdout
    assert project.plan() == Counter()


def _stage(project: Project, stage: str, spec: dict, output) -> subprocess.CompletedProcess:
    arguments = ["--spec", json.dumps(spec), "--output", str(output), "--work", "results/work"]
    return project.python(f"workflow_scripts.stages.{stage}", *arguments)


def _maintain(project: Project, verb: str, *arguments: str, **options) -> subprocess.CompletedProcess:
    return project.python("workflow_scripts.maintain", verb, "--config", str(project.config), *arguments, **options)
