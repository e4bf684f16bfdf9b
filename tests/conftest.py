"""Fixtures shared by the tests that run snakemake: a copy of the project, and a finished micro run in it."""

import gc
import os
import subprocess

import pytest

from tests.offline import cut_off, own_network
from tests.project import ROOT, Project


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: runs the micro pipeline")


def pytest_collection_finish():
    """What the tests import stays: the garbage collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


@pytest.fixture(autouse=True)
def environment():
    """A stage that a test calls in this process closes the network and drops tokens for good: not for the next test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """A copy of the project in which micro.yaml has run to the end, cut off from every network but loopback.

    Not to be changed: see `project`. tests/e2e/test_offline.py reads what the run noted in network.log beside it.
    """
    project = Project.copy(ROOT, tmp_path_factory.mktemp("finished") / "project")
    project.variables, project.front = cut_off(project, project.root.parent / "network.log"), own_network()
    done = project.run()
    assert done.returncode == 0, done.stdout[-3000:]
    project.variables, project.front = {}, []
    return project


@pytest.fixture
def project(finished, tmp_path) -> Project:
    """A copy of the finished project, results and .snakemake included, free to be changed.

    Published files stay hard links to those in the work directories, as they are after a run.
    """
    subprocess.run(["cp", "-a", str(finished.root), str(tmp_path / "project")], check=True)
    return Project(tmp_path / "project", source=finished.root)
