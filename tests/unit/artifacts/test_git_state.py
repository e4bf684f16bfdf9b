"""The dirty flag of the provenance speaks of code and config, not of the lock file that the last run wrote."""

import subprocess

import pytest

from workflow_scripts.artifacts import provenance


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    (tmp_path / "results" / "nano_claims").mkdir(parents=True)
    for name in ("code.py", "results/lock.json", "results/nano_claims/lock.json"):
        (tmp_path / name).write_text("as committed\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "All"]):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_written_lock_file_is_no_dirt(repository):
    assert provenance._git()["dirty"] is False
    for lock in repository.rglob("lock.json"):
        lock.write_text("{}\n")
    assert provenance._git()["dirty"] is False


def test_changed_code_is(repository):
    (repository / "code.py").write_text("edited\n")
    assert provenance._git()["dirty"] is True
