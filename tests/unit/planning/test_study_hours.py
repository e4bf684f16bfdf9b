"""GPU-hours by study: arms that studies share count once, the parts are the whole, measured jobs go by their times."""

import json
import re

import pytest

from tests.unit.planning.gpu_jobs import graph, settings
from workflow_scripts.config.artifact import spec_text
from workflow_scripts.planning.budget import SHARED, budget_text, studies_of
from workflow_scripts.planning.cost.model import CostModel
from workflow_scripts.planning.dry_run import Job
from workflow_scripts.planning.estimate import Estimates
from workflow_scripts.planning.outcomes import Outcomes
from workflow_scripts.planning.records import Records

STUDY = {"title": "t", "policies": ["base"], "data": ["questions.train"], "algorithms": ["grpo"], "seeds": [0]}
STUDIES = {
    "first": STUDY | {"rewards": ["rule"], "entropy": ["none", "kl_cov"]},
    "second": STUDY | {"rewards": ["rule", "judge_soft"], "entropy": ["none"]},
    "validated": STUDY | {"rewards": ["truth"], "entropy": ["none"], "benchmarks": []},
}


class Planned:
    """All jobs of a graph, as a dry run in an empty folder would list them."""

    def __init__(self, made, root):
        self.graph, self.work = made, root / "work"
        self.jobs = [self._job(artifact, root) for artifact in made.artifacts]

    def _job(self, artifact, root):
        inputs = {role: root / upstream.manifest for role, upstream in artifact.inputs.items()}
        spec = json.loads(spec_text(artifact))
        return Job(artifact.stage, spec, root / artifact.manifest, self.work, "cpu", inputs, "")

    def ran(self, name: str, seconds: float) -> None:
        """Leave the provenance of a finished job of that name, of another code."""
        job = next(job for job in self.jobs if job.name == name)
        done = self.work / job.stage / f"{name}-{'0' * 10}" / "done"
        done.mkdir(parents=True)
        cost = {"seconds": seconds, "core_seconds": seconds, "gpu_seconds": 8 * seconds}
        (done / "provenance.json").write_text(json.dumps({"spec": job.spec | {"code": "old"}, "inputs": {}, **cost}))
        for upstream in self.jobs:  # what it was made from is known by name
            if upstream.key in job.spec["inputs"].values():
                folder = self.work / upstream.stage / upstream.identity / "done"
                folder.mkdir(parents=True)
                record = {"spec": upstream.spec, "inputs": {}, "seconds": 1, "core_seconds": 1, "gpu_seconds": 0}
                (folder / "provenance.json").write_text(json.dumps(record))

    @property
    def estimates(self) -> Estimates:
        return Estimates(Records(self.work), CostModel(self.graph))

    @property
    def text(self) -> str:
        outcomes = Outcomes(self.jobs, Records(self.work))
        return budget_text(self.jobs, self.graph, CostModel(self.graph), self.estimates, outcomes)

    def row(self, name: str) -> list[str]:
        return re.search(rf"^{name} +(.*)$", self.text, re.MULTILINE)[1].split()


@pytest.fixture
def planned(tmp_path):
    return Planned(graph(studies=STUDIES), tmp_path)


def test_an_arm_of_two_studies_counts_in_the_first(planned):
    assert planned.row("first")[:2] == ["2", "2"] and planned.row("second")[:2] == ["2", "1"]
    owners = {name.partition("-")[0]: study for (_, name), study in studies_of(planned.graph).items()}
    assert owners["base.questions_train.grpo.rule.none.s0"] == "first"
    assert owners["base.questions_train.grpo.judge_soft.none.s0"] == "second"
    assert owners["base.questions_train.grpo.truth.none.s0"] == "validated"
    assert owners["grades.base.s0"] == "first" and "judge.judge.s0" not in owners


def test_the_studies_and_what_they_share_are_the_total(planned):
    model, made = CostModel(planned.graph), planned.graph.artifacts
    total = sum(estimate.gpu_seconds for artifact in made if (estimate := model.of(artifact))) / 3600
    rows = [float(planned.row(name)[-1].replace(",", "")) for name in (*STUDIES, SHARED)]
    assert float(planned.row("total")[-1].replace(",", "")) == pytest.approx(total, abs=1)
    assert sum(rows) == pytest.approx(total, abs=2) and all(rows)


def test_a_job_that_ran_before_goes_by_its_time(planned):
    name = "base.questions_train.grpo.rule.none.s0"
    (job,) = (job for job in planned.jobs if job.name == name)
    before = planned.estimates.of(job)
    assert before.modelled and before.gpu > 8 * 3600
    planned.ran(name, seconds=1800)
    after = planned.estimates.of(job)
    assert not after.modelled and (after.gpu, after.core) == (8 * 1800, 1800)
    judged = next(job for job in planned.jobs if job.name == "base.questions_train.grpo.judge_soft.none.s0")
    assert planned.estimates.of(judged).modelled  # made with a judge: that one tells nothing of it


def test_too_few_minutes_are_a_warning(tmp_path):
    placement = settings()["placement"] | {"train_policy": {"gpus": 8, "memory_gb": 500, "minutes": 30}}
    text = Planned(graph(studies=STUDIES, placement=placement), tmp_path).text
    (line,) = re.findall(r"^warning: placement.train_policy.*$", text, re.MULTILINE)
    assert re.fullmatch(
        r"warning: placement.train_policy.minutes: 30 is below the \d{3,} that a job of base is estimated to take", line
    )


def test_what_it_rests_on_is_said(planned):
    assert "was never compared with this pipeline on GPUs" in planned.text
    assert "h100: 989 TFLOP/s bf16, 67 for logits, 3.35 TB/s, 80 GB" in planned.text


def test_without_gpus_there_is_nothing_to_say(tmp_path):
    assert Planned(graph(placement={}), tmp_path).text == ""
