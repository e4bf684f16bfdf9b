"""Nothing from outside is run: no pickles, no evaluated text, no code that comes with a model; secrets are not told.

The first tests read the source of the whole package; each of their checks is itself checked on a line that breaks it.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import ROOT
from workflow_scripts.artifacts import environment
from workflow_scripts.artifacts.provenance import make_provenance
from workflow_scripts.artifacts.spending import Clock, Spending
from workflow_scripts.config.stages import STAGES

SOURCES = sorted(path for folder in ("workflow_scripts", "envs") for path in (ROOT / folder).rglob("*.py"))
PICKLES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
EVALUATES = {"eval", "exec", "compile", "__import__"}
SAFE_YAML = {"safe_load", "safe_dump", "YAMLError", "SafeLoader", "CSafeLoader", "load", "dump"}


def offences(tree: ast.AST) -> Iterator[str]:
    """What a module does that could run what it reads."""
    loaders = {ast.unparse(node.targets[0]) for node in ast.walk(tree) if _is_safe_loader(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (f"imports {name}" for name in names if name.partition(".")[0] in PICKLES)
        elif isinstance(node, ast.Call):
            words = {word.arg: ast.unparse(word.value) for word in node.keywords}
            yield from _call(ast.unparse(node.func), words, loaders)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "yaml" and node.attr not in SAFE_YAML:
            yield f"yaml.{node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "--trust-remote-code" in node.value:
            yield node.value


def _is_safe_loader(node: ast.AST) -> bool:
    """`NAME = getattr(yaml, "CSafeLoader", yaml.SafeLoader)`: the fast one where there is one."""
    return isinstance(node, ast.Assign) and ast.unparse(node.value) == "getattr(yaml, 'CSafeLoader', yaml.SafeLoader)"


def _call(name: str, words: dict[str | None, str], loaders: set[str]) -> Iterator[str]:
    if name in EVALUATES:
        yield f"{name}()"
    if name == "torch.load" and words.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if name == "yaml.load" and words.get("Loader") not in {"yaml.SafeLoader", "yaml.CSafeLoader", *loaders}:
        yield "yaml.load without a safe loader"
    weights = name.endswith(".from_pretrained") and not re.search(r"(Tokenizer\w*|Config)\.", name)
    if weights and words.get("use_safetensors") != "True" and "gguf_file" not in words:
        yield f"{name} without use_safetensors=True"
    if name in ("os.system", "os.popen") or words.get("shell", "False") != "False":
        yield f"{name} through a shell"
    yield from (f"{word}=True" for word in ("trust_remote_code", "allow_pickle") if words.get(word, "False") != "False")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_module_runs_what_it_reads(path):
    assert list(offences(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from dill import loads",
        "eval(text)",
        "exec(compile(text, '', 'exec'))",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.load(text, Loader=chosen)",
        "yaml.unsafe_load(text)",
        "AutoModel.from_pretrained(path)",
        "load(path, trust_remote_code=True)",
        "load(path, trust_remote_code=allowed)",
        "command = ['vllm', 'serve', '--trust-remote-code']",
        "numpy.load(path, allow_pickle=True)",
        "subprocess.run(command, shell=True)",
        "os.system(command)",
    ],
)
def test_a_module_that_would_is_found(line):
    assert list(offences(ast.parse(line)))


def test_no_stage_imports_a_library_that_reads_its_settings_before_they_are_made():
    """huggingface_hub asks whether it is offline when it is imported: `run_stage` says so before `build` imports it."""
    imports = "; ".join(f"import workflow_scripts.stages.{stage}" for stage in STAGES)
    probe = (
        f"import sys; {imports}; print({{'huggingface_hub', 'datasets', 'transformers', 'vllm'}} & {{*sys.modules}})"
    )
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT).stdout == "set()\n"


def test_a_stage_is_offline_and_holds_no_token_unless_it_downloads(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_something")
    environment.set_network(online=True)
    assert os.environ["HF_TOKEN"] == "hf_something" and "HF_HUB_OFFLINE" not in os.environ
    environment.set_network(online=False)
    assert "HF_TOKEN" not in os.environ
    probe = "from huggingface_hub import constants; import datasets; "
    probe += "print(constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE)"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True).stdout == "True True\n"


def test_values_of_secret_variables_are_left_out_of_what_is_printed(monkeypatch):
    secrets = {
        "HF_TOKEN": "token-value",
        "my_api_key": "key-value",
        "DB_PASSWORD": "pass-value",
        "A_SECRET_B": "sec-value",
    }
    for name, value in {**secrets, "TOKENIZERS_PARALLELISM": "parallelism", "KEYBOARD": "qwertz-qwertz"}.items():
        monkeypatch.setenv(name, value)
    text = environment.redacted(" ".join([*secrets.values(), "parallelism qwertz-qwertz"]))
    assert text == "<HF_TOKEN> <my_api_key> <DB_PASSWORD> <A_SECRET_B> parallelism qwertz-qwertz"


def test_provenance_holds_nothing_of_the_environment(monkeypatch, tmp_path):
    for name in ("HF_TOKEN", "WANDB_API_KEY", "SOME_PASSWORD", "A_SECRET", "HARMLESS"):
        monkeypatch.setenv(name, f"value-of-{name}")
    spending, parts = Spending(tmp_path / "spent.json", Clock()), {"libraries": {}, "modules": {}}
    found = make_provenance("a-0123456789", {"stage": "sample_data"}, {}, spending, {}, parts)
    assert "value-of-" not in str(found) and found["stage"] == "sample_data"


def test_the_rules_pass_no_secret_to_a_job():
    """What stands in a rule's params or shell line is seen in the process list and in Snakemake's records."""
    for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk"), *Path(ROOT / "config/profiles").rglob("*.yaml")]:
        assert not any(word in path.read_text() for word in ("TOKEN", "envvars", "os.environ")), path
