"""Prune removes what no config refers to, and nothing else; the lock file lists what is there."""

import json
import shutil
from collections import Counter

import yaml

from tests.project import Project


def remove_arms(project: Project) -> None:
    """The config forgets two of four arms; its run makes the tables and the report of the others."""
    project.set("studies.reward_by_entropy.rewards", ["rule"])
    assert project.run().returncode == 0


def test_prune_asks_and_removes_artifacts_work_logs_and_benchmarks(project):
    remove_arms(project)
    results = project.root / "results"
    arms = [path.name for path in project.artifacts("policies") if ".judge_soft." in path.name]
    for answer in ("n\n", ""):
        assert project.maintain("prune", input=answer).returncode == 1
    assert len(project.artifacts("policies")) == 4
    orphaned = project.maintain("verify").stdout
    assert all(f"orphaned: results/policies/{arm} (no config refers to it" in orphaned for arm in arms)
    assert project.maintain("prune", "--yes").returncode == 0
    assert len(project.artifacts("policies")) == 2 and project.plan() == Counter()
    assert len(arms) == 2 and not [path for arm in arms for path in results.rglob(f"{arm}*")]
    pointers = list((results / "work" / "same").iterdir())
    assert pointers and all((results / "work" / pointer.read_text().strip()).is_dir() for pointer in pointers)
    done = project.maintain("verify")
    assert done.returncode == 0 and "all intact" in done.stdout
    assert "nothing to prune" in project.maintain("prune").stdout


def test_prune_keeps_what_another_config_of_the_same_root_refers_to(project):
    """And a config that does not load stops it, where a smaller set would have been removed."""
    other = project.root / "config" / "other.yaml"
    shutil.copy(project.config, other)
    before = project.manifests()
    config = project.settings()
    config["studies"]["reward_by_entropy"]["rewards"] = ["rule"]
    project.config.write_text(yaml.safe_dump(config, sort_keys=False))
    done = project.maintain("prune", "--yes")
    assert done.returncode == 0 and "config/other.yaml" in done.stdout and "nothing to prune" in done.stdout
    other.write_text(other.read_text().replace("teacher: teacher", "teacher: nobody"))
    done = project.maintain("prune", "--yes")
    assert done.returncode == 1 and "config/other.yaml does not load: " in done.stdout.splitlines()[-1]
    done = project.maintain("verify")
    assert done.returncode == 0 and "config/other.yaml does not load: " in done.stdout
    assert project.manifests() == before


def test_prune_refuses_while_something_runs(project):
    other = project.config.with_name("other.yaml")
    config = project.settings()
    config["studies"]["reward_by_entropy"]["rewards"] = ["rule"]
    other.write_text(yaml.safe_dump(config, sort_keys=False))
    work = next((project.root / "results" / "work" / "train_policy").iterdir())
    (work / "lock").write_text('{"host": "elsewhere"}')
    done = project.python("workflow_scripts.maintain", "prune", "--config", str(other), "--yes")
    assert done.returncode == 1 and f"{work.relative_to(project.root)}: in use" in done.stdout
    assert len(project.artifacts("policies")) == 4


def test_the_lock_file_is_written_by_a_run_and_again_gives_the_same_bytes(finished, project):
    lock = project.root / "results" / "lock.json"
    written = lock.read_bytes()
    entries = json.loads(written)
    assert list(entries) == sorted(entries) and len(entries) == len(written.splitlines()) - 2
    assert set(entries) == {path for path in finished.manifests() if not path.startswith(("work/", "report/"))}
    lock.unlink()
    assert project.maintain("lock").returncode == 0
    assert lock.read_bytes() == written


def test_a_changed_setting_changes_the_lines_of_its_arms(project):
    lock = project.root / "results" / "lock.json"
    before = json.loads(lock.read_text())
    project.set("entropy.kl_cov.options.kl_cov_ratio", 0.1)
    assert project.run("answers").returncode == 0
    after = json.loads(lock.read_text())
    assert len(after.keys() - before.keys()) == 4
    assert all(".kl_cov." in path or path.startswith("tables/") for path in before.keys() ^ after.keys())
    assert all(after[path] == before[path] for path in before.keys() & after.keys())
