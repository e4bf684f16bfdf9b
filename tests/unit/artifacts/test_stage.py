"""run_stage: computes once, restores after, never touches a finished artifact when something is wrong."""

import json

import pytest

from workflow_scripts.artifacts import StageError, run_stage
from workflow_scripts.artifacts.fingerprint import ROOT, fingerprint
from workflow_scripts.artifacts.keys import key
from workflow_scripts.artifacts.schemas import QUESTIONS

LOCK = ROOT / "envs" / "cpu.txt"
STAGE = "label_rollouts"  # any stage without named modules: its code enters the spec, its build is ours
ROWS = {"question_id": ["a"], "subject": ["s"], "prompt": ["p"], "reference": ["r"]}


class Bench:
    """A results root, and calls of run_stage as a rule would make them."""

    def __init__(self, root):
        self.root, self.calls = root, 0

    def build(self, stage):
        self.calls += 1
        stage.write("t.parquet", {**ROWS, "prompt": [stage.config["text"]]}, QUESTIONS)
        stage.account(kept=1)

    def spec(self, **config):
        return {"stage": STAGE, "config": config, "code": fingerprint(STAGE, config, LOCK), "inputs": {}}

    def output(self, spec, name="thing"):
        return self.root / "labels" / f"{name}-{key(spec)}" / "manifest.json"

    def run(self, spec, build=None, output=None, guards=None, **inputs):
        arguments = ["--spec", json.dumps(spec), "--output", str(output or self.output(spec))]
        arguments += ["--work", str(self.root / "work")]
        for role, path in inputs.items():
            arguments += ["--input", f"{role}={path}"]
        return run_stage(STAGE, build or self.build, arguments, guards)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_computes_and_publishes(bench):
    spec = bench.spec(text="x")
    assert bench.run(spec) == 0
    manifest = json.loads(bench.output(spec).read_text())
    assert manifest["files"]["t.parquet"]["rows"] == 1 and manifest["accounting"] == {"kept": 1}
    provenance = json.loads((bench.output(spec).parent / "provenance.json").read_text())
    assert provenance["spec"] == spec and provenance["core_seconds"] > 0


def test_arguments_may_stand_in_a_file(bench, tmp_path):
    """One a line and of any length, where a command line ends at 128 KiB an argument."""
    spec = bench.spec(text="two words \u2028 'quoted' " + "x" * 200_000)
    arguments = ["--spec", json.dumps(spec, ensure_ascii=False), "--output", str(bench.output(spec))]
    listed = tmp_path / "arguments"
    listed.write_text("\n".join(arguments) + "\n")
    assert run_stage(STAGE, bench.build, [f"@{listed}", "--work", str(bench.root / "work")]) == 0
    assert bench.output(spec).is_file()


def test_a_lost_output_is_restored_without_computing(bench):
    spec = bench.spec(text="x")
    bench.run(spec)
    before = bench.output(spec).read_bytes()
    for path in list(bench.output(spec).parent.iterdir()):
        path.unlink()
    assert bench.run(spec) == 0 and bench.calls == 1
    assert bench.output(spec).read_bytes() == before


def test_equal_content_under_another_upstream_key_is_restored(bench):
    spec = bench.spec(text="x")
    bench.run(spec)
    renamed = spec | {"inputs": {"data": "0123456789"}}
    assert bench.run(renamed) == 0 and bench.calls == 1
    assert bench.output(renamed).read_bytes() == bench.output(spec).read_bytes()


def test_changed_input_bytes_compute_again(bench, tmp_path):
    (tmp_path / "up.json").write_text("1")
    first = bench.spec(text="x") | {"inputs": {"data": "a"}}
    bench.run(first, data=tmp_path / "up.json")
    (tmp_path / "up.json").write_text("2")
    second = first | {"inputs": {"data": "b"}}
    assert bench.run(second, data=tmp_path / "up.json") == 0 and bench.calls == 2


def test_a_changed_guard_restores_and_one_that_refuses_stops_even_a_finished_artifact(bench, tmp_path, capsys):
    def refuse(stage):
        raise StageError("the judge failed")

    for number in (1, 2):
        (tmp_path / "audit.json").write_text(str(number))
        spec = bench.spec(text="x") | {"inputs": {"audit": str(number)}}
        assert bench.run(spec, guards={"audit": lambda stage: None}, audit=tmp_path / "audit.json") == 0
    assert bench.calls == 1
    assert bench.run(spec, guards={"audit": refuse}, audit=tmp_path / "audit.json") == 1
    assert capsys.readouterr().out.splitlines()[-1] == f"{STAGE}: the judge failed"


def test_a_spec_that_does_not_fit_the_path_stops(bench, capsys):
    spec = bench.spec(text="x")
    assert bench.run(bench.spec(text="y"), output=bench.output(spec)) == 1
    assert "changed while the job was queued" in capsys.readouterr().out and bench.calls == 0


def test_changed_code_stops(bench, capsys):
    spec = bench.spec(text="x") | {"code": "0" * 64}
    assert bench.run(spec) == 1
    assert "the code of label_rollouts changed" in capsys.readouterr().out


@pytest.mark.parametrize("error", [StageError("no such thing"), ValueError("broken"), OSError(28, "No space", "f")])
def test_a_failure_leaves_nothing_and_the_next_run_succeeds(bench, capsys, error):
    def fail(stage):
        bench.build(stage)
        raise error

    spec = bench.spec(text="x")
    assert bench.run(spec, fail) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("label_rollouts: ") and not bench.output(spec).exists()
    assert bench.run(spec) == 0 and bench.output(spec).exists()


def test_a_full_disk_is_named(bench, capsys):
    def fail(stage):
        raise OSError(28, "No space left on device", "t.parquet")

    assert bench.run(bench.spec(text="x"), fail) == 1
    assert "disk is full while writing t.parquet" in capsys.readouterr().out


def test_checkpoints_survive_a_failure_and_go_after_success(bench):
    def fail(stage):
        (stage.checkpoints / "step1").write_text("half")
        raise StageError("killed")

    def resume(stage):
        assert (stage.checkpoints / "step1").read_text() == "half"
        bench.build(stage)

    spec = bench.spec(text="x")
    assert bench.run(spec, fail) == 1 and bench.run(spec, resume) == 0
    assert not (bench.root / "work" / STAGE / bench.output(spec).parent.name / "checkpoints").exists()


def test_damaged_input_is_named(bench, capsys):
    spec = bench.spec(text="x")
    bench.run(spec)
    table = bench.output(spec).parent / "t.parquet"
    table.unlink()
    table.write_bytes(b"PAR1")
    reader = bench.spec(text="y") | {"inputs": {"data": key(spec)}}
    assert bench.run(reader, lambda stage: stage.read("data", "t.parquet", QUESTIONS), data=bench.output(spec)) == 1
    assert "t.parquet: checksum differs from the manifest" in capsys.readouterr().out


def test_a_stable_path_keeps_exactly_the_current_manifest(bench):
    folder = bench.root / "tables" / "law"
    specs = [bench.spec(text=text) for text in ("x", "y", "x")]
    for spec in specs:
        assert bench.run(spec, output=folder / f"manifest-{key(spec)}.json") == 0
        assert [path.name for path in folder.glob("manifest*")] == [f"manifest-{key(spec)}.json"]
    assert bench.calls == 2
