"""`make jobs` leads from an artifact to where it runs or ran, and to its log."""

import os
import re
import socket

from tests.project import Project
from workflow_scripts.artifacts.lock import Lock


def rows(project: Project, name: str = "*") -> dict[str, list[str]]:
    """The other columns by the artifact's identity."""
    done = project.python("workflow_scripts.maintain", "jobs", "--config", str(project.config), "--name", name)
    assert done.returncode == 0, done.stdout
    header, *lines = (re.split(r"  +", line) for line in done.stdout.splitlines())
    assert header == ["state", "stage", "artifact", "SLURM", "host", "log", "SLURM log"]
    return {identity: [state, stage, *rest] for state, stage, identity, *rest in lines}


def test_what_is_there_has_its_host_and_log(finished):
    found = rows(finished)
    assert {row[0] for row in found.values()} == {"present"} and len(found) == sum(finished.plan("--forceall").values())
    for _, stage, job, host, log, slurm_log in found.values():
        assert (job, host, slurm_log) == ("-", socket.gethostname(), "-")
        assert stage in log and (finished.root / log).is_file()


def test_what_runs_and_what_is_missing(project):
    arms = [path.name for path in project.artifacts("policies")]
    for name in arms[:2]:
        (project.root / "results/policies" / name / "manifest.json").unlink()
    with Lock(project.root / "results/work/train_policy" / arms[0] / "lock"):
        found = rows(project, "base.*")
    assert found[arms[0]][:4] == ["running", "train_policy", os.environ.get("SLURM_JOB_ID", "-"), socket.gethostname()]
    assert found[arms[1]][0] == "missing" and found[arms[2]][0] == "present"
    assert all(identity.startswith("base.") for identity in found)
