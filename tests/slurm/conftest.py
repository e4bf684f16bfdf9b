"""Tests on a real SLURM: `make slurm-test`. They fail, with the reason, where no cluster can be started."""

import faulthandler
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.project import ROOT, Project
from tests.slurm.cluster import Cluster
from tests.slurm.packages import Unavailable
from tests.slurm.submission import Submission

DEADLINE = 3600  # seconds; then the cluster, all that was submitted to it and, a minute later, the tests are ended
# No part of any key: what the arms get from SLURM may differ from the local run without changing a byte.
PLACEMENT = {
    "explore_policy": {"gpus": 1, "memory_gb": 3},
    "label_rollouts": {"gpus": 8},
    "train_policy": {"gpus": 1, "memory_gb": 3},
    "sample_answers": {"gpus": 4},
    "prepare_model": {"minutes": 20},
}


@pytest.fixture(scope="session")
def cluster():
    """Two nodes of one CPU, so that two jobs run at a time here though the profile submits without a limit."""
    if not find_spec("snakemake_executor_plugin_slurm"):
        pytest.fail("needs the executor plugin: make slurm-test")
    directory = Path(tempfile.mkdtemp(prefix="slurm-"))  # pytest's folders are too deep for a Unix socket
    faulthandler.dump_traceback_later(DEADLINE + 60, exit=True)
    try:
        with Cluster(directory, cpus=1, deadline=DEADLINE) as running:
            yield running
    except Unavailable as reason:
        pytest.fail(str(reason))
    finally:
        faulthandler.cancel_dump_traceback_later()
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def submitted(cluster, tmp_path_factory) -> Submission:
    """The micro DAG, run through SLURM to the end. Not to be changed: see `submission`."""
    project = Project.copy(ROOT, tmp_path_factory.mktemp("submitted") / "project")
    project.set("placement", PLACEMENT)
    submission = Submission(project, cluster)
    submission.fill_in_site()
    assert submission.run() == 0, submission.log[-3000:]
    return submission


@pytest.fixture
def submission(submitted, tmp_path) -> Submission:
    """A copy of the project that went through SLURM, free to be changed."""
    shutil.copytree(submitted.project.root, tmp_path / "project", symlinks=True)
    return Submission(Project(tmp_path / "project", source=ROOT), submitted.cluster)
