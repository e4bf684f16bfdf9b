"""A profile changes where jobs run and what they may take, never which ones are planned."""

import importlib.util
import re

import pytest
import yaml

from tests.project import ROOT, Project
from workflow_scripts.config.stages import STAGES

PROFILES = ROOT / "config" / "profiles"
INSTALLED = {"local": True, "slurm": importlib.util.find_spec("snakemake_executor_plugin_slurm") is not None}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Project:
    return Project.copy(ROOT, tmp_path_factory.mktemp("profiles") / "project")


def read(profile: str) -> dict:
    return yaml.safe_load((PROFILES / profile / "profile.v9+.yaml").read_text())


def need(profile: str) -> None:
    if not INSTALLED[profile]:
        pytest.skip("envs/slurm.txt is not installed")


@pytest.mark.parametrize("profile", ["local", "slurm"])
def test_plain_snakemake_plans_the_same_jobs(fresh, profile):
    need(profile)
    assert fresh.plan() == fresh.plan("--workflow-profile", f"config/profiles/{profile}") != {}


def test_the_readmes_cluster_in_ten_lines_is_a_profile(fresh):
    need("slurm")
    block = re.search(r"```yaml\n(executor: slurm\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert len(block.splitlines()) == 10
    (fresh.root / "mine.yaml").write_text(block)
    assert fresh.plan("--workflow-profile", "mine.yaml") == fresh.plan()


def test_the_cluster_profile_names_stages_that_exist():
    profile = read("slurm")
    assert set(profile["set-resources"]) | set(profile["slurm-array-jobs"].split(",")) <= set(STAGES)


def test_arrays_have_no_limit_that_would_cut_them():
    assert read("slurm")["jobs"] == "unlimited"
