"""Parts of an artifact: made once, shared, verified, made again where damaged, and left whole by a kill."""

import json
import os
import shutil

import pytest

from workflow_scripts.artifacts import StageError, run_stage
from workflow_scripts.artifacts.fingerprint import ROOT, fingerprint, fingerprint_parts
from workflow_scripts.artifacts.keys import key
from workflow_scripts.artifacts.parts import used_parts
from workflow_scripts.artifacts.schemas import QUESTIONS
from workflow_scripts.evaluation.graders import GRADERS

LOCK = ROOT / "envs" / "cpu.txt"
STAGE = "label_rollouts"  # any stage without named modules: its code enters the spec, its build is ours


class Bench:
    """A stage whose artifact has a part for each of its texts, and calls of it as a rule would make them."""

    def __init__(self, root):
        self.root, self.made, self.fail_at = root, [], None

    def build(self, stage):
        for name, text in stage.config["texts"].items():
            reads = [("data", "t.parquet")] if "data" in stage.inputs else []
            part = stage.part(name, {"text": text}, reads, lambda: self.make(name, text), QUESTIONS)  # noqa: B023
            stage.link(part, f"{name}.parquet")

    def make(self, name, text):
        if name == self.fail_at:
            raise StageError("killed here")
        self.made.append(name)
        return {"question_id": [name], "subject": ["s"], "prompt": [text], "reference": ["r"]}

    def run(self, status=0, **texts):
        """The folder of the artifact with these texts."""
        self.made = []
        return self.run_with({}, status, **texts)

    def run_with(self, inputs, status=0, **texts):
        config = {"texts": texts}
        spec = {"stage": STAGE, "config": config, "code": fingerprint(STAGE, config, LOCK), "inputs": {}}
        spec["inputs"] = {role: path.parent.name[-10:] for role, path in inputs.items()}
        self.output = self.root / "labels" / f"thing-{key(spec)}" / "manifest.json"
        arguments = ["--spec", json.dumps(spec), "--output", str(self.output), "--work", str(self.root / "work")]
        arguments += [f"--input={role}={path}" for role, path in inputs.items()]
        assert run_stage(STAGE, self.build, arguments) == status
        return self.output.parent

    def parts(self):
        return sorted((self.root / "work" / "parts" / STAGE).iterdir())


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_a_further_part_is_made_alone_and_the_others_are_the_same_files(bench):
    first = bench.run(a="x", b="y")
    second = bench.run(a="x", b="y", c="z")
    assert bench.made == ["c"] and len(bench.parts()) == 3
    assert all(os.path.samefile(first / f"{name}.parquet", second / f"{name}.parquet") for name in "ab")
    made = json.loads((second / "provenance.json").read_text())["parts"]
    assert [made[path.name] for path in bench.parts()] == ["kept", "kept", "computed"]


def test_another_setting_makes_another_part(bench):
    bench.run(a="x", b="y")
    bench.run(a="x", b="other")
    assert bench.made == ["b"]


def test_other_bytes_read_make_another_part(bench):
    one, other = bench.run(t="one") / "manifest.json", bench.run(t="other") / "manifest.json"
    bench.made = []
    bench.run_with({"data": one}, a="x")
    bench.run_with({"data": one}, a="x", b="y")
    bench.run_with({"data": other}, a="x")
    assert bench.made == ["a", "b", "a"]


def test_a_stopped_job_goes_on_at_the_first_unfinished_part(bench):
    bench.fail_at = "c"
    bench.run(1, a="x", b="y", c="z")
    assert bench.made == ["a", "b"] and not bench.output.exists()
    (work,) = (path for path in (bench.root / "work" / STAGE).iterdir())
    assert used_parts(work) == {path.name for path in bench.parts()} and len(bench.parts()) == 2
    bench.fail_at = "a"  # never asked for again
    bench.run(a="x", b="y", c="z")
    assert bench.made == ["c"] and not (work / "parts.json").exists()
    assert used_parts(work) == {path.name for path in bench.parts()} and len(bench.parts()) == 3


@pytest.mark.parametrize("harm", ["bytes", "table", "manifest"])
def test_a_damaged_part_is_made_again_with_one_line(bench, capfd, harm):
    first = bench.run(a="x")
    whole = (first / "a.parquet").read_bytes()
    (part,) = bench.parts()
    table = part / "part.parquet"
    if harm == "bytes":
        table.unlink()
        table.write_bytes(whole[:-1] + b"?")
    else:
        (table if harm == "table" else part / "manifest.json").unlink()
    capfd.readouterr()
    second = bench.run(a="x", b="y")
    assert bench.made == ["a", "b"] and capfd.readouterr().out.count("computed again") == 1
    assert (second / "a.parquet").read_bytes() == whole == table.read_bytes()


def test_two_jobs_that_make_one_part_at_the_same_time_both_end_well(bench):
    """The other one is done while this one is at it."""
    alone = bench.run(a="x") / "a.parquet"
    (part,) = bench.parts()
    part.rename(bench.root / "aside")
    make = bench.make

    def slower(name, text):
        if name == "a":
            shutil.copytree(bench.root / "aside", part)
        return make(name, text)

    bench.make = slower
    second = bench.run(a="x", b="y")
    assert (second / "a.parquet").read_bytes() == alone.read_bytes() and len(bench.parts()) == 2


def test_a_failed_part_leaves_nothing(bench):
    bench.make = lambda name, text: {"question_id": [name]}
    bench.run(1, a="x")
    assert bench.parts() == []


def test_an_edit_of_one_grader_leaves_the_code_of_the_others():
    judging = {"template": "judge_nano", "judging": {"engine": "inprocess"}}
    models = {"teacher": {"teacher": judging}, "judge": {"judge": judging}}
    codes = {
        name: fingerprint_parts("grade_answers", {"graders": [name], **models.get(name, {})}, LOCK) for name in GRADERS
    }
    own = {
        "workflow_scripts.rewards.rule": {"rule", "contains"},
        "workflow_scripts.rewards.judge": {"teacher", "judge"},
        "workflow_scripts.evaluation.graders.teacher": {"teacher"},
        "workflow_scripts.rewards.judge_engines.inprocess": {"teacher", "judge"},
        "workflow_scripts.data.nano_world.equivalence": {"truth"},
    }
    for module, graders in own.items():
        assert {name for name, parts in codes.items() if module in parts["modules"]} == graders
