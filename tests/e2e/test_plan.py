"""`make plan` on a finished micro run: the jobs are the dry run's, the reasons what was changed, the outcomes what
then happens, and the cost what the same work did cost before."""

import re
import shutil
import sys
from collections import Counter

import pytest
import yaml

from tests.project import Project
from workflow_scripts.artifacts import read_provenance
from workflow_scripts.config.stages import STAGES

LINE = re.compile(r"^(\w+)(.*?)(?: \((\d+) jobs\))?: (.+?)  \[([^,\]]+)(?:, (.*))?\]$")
UNLESS = "computed unless its inputs come out equal"
ANALYSIS = ("fit_entropy_law", "compare_results", "render_report")
ARMS = "grpo·judge_soft·kl_cov s0, grpo·rule·kl_cov s0 (2 jobs)"


class Plan:
    """What `make plan` prints, and its lines taken apart."""

    def __init__(self, project: Project, *arguments: str):
        command = (sys.executable, "-m", "snakemake", "--configfile", str(project.config), *arguments)
        done = project.python("workflow_scripts.planning", *command)
        assert done.returncode == 0, done.stdout[-3000:]
        self.text, self.lines = (
            done.stdout,
            [LINE.match(line) for line in done.stdout.partition("\n\n")[0].splitlines()],
        )
        if "Nothing to do." in self.text:
            self.lines = []
        assert all(self.lines), self.text
        assert self.jobs == {rule: count for rule, count in project.plan(*arguments).items() if rule in STAGES}

    @property
    def jobs(self) -> Counter:
        return self._count(lambda line: line[1])

    @property
    def outcomes(self) -> Counter:
        """Jobs by stage and outcome."""
        return self._count(lambda line: (line[1], line[5]))

    @property
    def reasons(self) -> dict[str, set[str]]:
        """The reasons of each stage's jobs."""
        found: dict[str, set[str]] = {}
        for line in self.lines:
            found.setdefault(line[1], set()).add(line[4])
        return found

    def _count(self, kind) -> Counter:
        counts: Counter = Counter()
        for line in self.lines:
            counts[kind(line)] += int(line[3] or 1)
        return counts


def append(project: Project, file: str) -> None:
    path = project.root / file
    path.write_text(path.read_text() + "\nNEW = 1\n")


def expected(project: Project, folder: str, pattern: str, times: float) -> str:
    """The CPU-hours of earlier artifacts, times a factor, as the plan prints them."""
    made = [read_provenance(path) for path in project.artifacts(folder) if pattern in path.name]
    assert made
    return f"{times * sum(record['core_seconds'] for record in made) / 3600:.3f} CPU-h"


def test_nothing_to_do(project):
    assert Plan(project).text == "Nothing to do.\n"


def test_one_coefficient_comes_true_and_flipping_it_back_is_restored(project):
    project.set("entropy.kl_cov.options.kl_cov_ratio", 0.1)
    plan = Plan(project)
    cost = expected(project, "policies", "kl_cov", 1)
    assert f"train_policy {ARMS}: entropy.kl_cov_ratio 0.2 → 0.1  [computed, {cost}]" in plan.text
    assert f"sample_answers {ARMS}: follows train_policy  [{UNLESS}, " in plan.text
    assert "9 jobs: 3 computed, 6 " + UNLESS in plan.text

    really = project.outcomes()
    assert really["train_policy", "computed"] == 2 and sum(really.values()) == 9
    assert Plan(project).jobs == Counter()

    project.set("entropy.kl_cov.options.kl_cov_ratio", 0.2)
    back = Plan(project)
    assert back.outcomes == {
        (stage, "restored"): 1 for stage in ("fit_entropy_law", "compare_results", "render_report")
    }
    assert back.reasons["fit_entropy_law"] == {"follows train_policy grpo·judge_soft·kl_cov and grpo·rule·kl_cov"}
    assert "entropy.kl_cov.options.kl_cov_ratio 0.1 → 0.2" in back.text and "Estimate" not in back.text
    assert project.outcomes() == back.outcomes


def test_equal_bytes_from_other_code_come_true_and_leave_no_trace_in_later_reasons(project):
    append(project, "workflow_scripts/stages/prepare_model.py")
    plan = Plan(project)
    assert plan.outcomes["prepare_model", "computed"] == 3 == plan.jobs["prepare_model"]
    assert plan.reasons["prepare_model"] == {"code of stages.prepare_model"}
    assert plan.reasons["explore_policy"] == {"follows prepare_model base and teacher"}
    assert set(outcome for stage, outcome in plan.outcomes if stage != "prepare_model") == {UNLESS}
    really = project.outcomes()
    assert {stage for stage, outcome in really if outcome == "computed"} == {"prepare_model"}

    append(project, "workflow_scripts/stages/sample_answers.py")
    plan = Plan(project)
    assert plan.reasons["sample_answers"] == {"code of stages.sample_answers"}
    assert plan.reasons["grade_answers"] == {"follows sample_answers"}


def test_work_that_is_doubled_costs_twice(project):
    project.set("algorithms.grpo.steps", 12)
    cost = expected(project, "policies", "", 2)
    assert f"(4 jobs): algorithms.steps 6 → 12  [computed, {cost}]" in Plan(project).text


def test_templates_and_libraries_are_named(project):
    path = project.root / "workflow_scripts/data/templates/judge_nano.txt"
    path.write_text("Q " + path.read_text())
    append(project, "workflow_scripts/models/loading.py")
    lock = project.root / "envs" / "cpu.txt"
    version = re.search(r"^torch==(\S+)$", lock.read_text(), re.MULTILINE)[1]
    lock.write_text(lock.read_text().replace(f"torch=={version}", "torch==0.1"))
    (reason,) = Plan(project).reasons["label_rollouts"]
    assert reason == (
        f"code of models.loading, file judge_nano.txt, torch {version.partition('+')[0]} → 0.1;"
        " follows explore_policy, prepare_model teacher"
    )


def test_provenance_without_parts_still_tells_that_code_changed(project):
    for path in (project.root / "results/work/fit_entropy_law").rglob("provenance.json"):
        path.chmod(0o644)
        text = path.read_text()
        path.write_text(re.sub(r'"code": \{.*?\n \},', '"none": 0,', text, flags=re.DOTALL))
        assert path.read_text() != text
    append(project, "workflow_scripts/stages/fit_entropy_law.py")
    assert Plan(project).reasons["fit_entropy_law"] == {"code changed"}


def test_a_new_seed(project):
    project.set("studies.reward_by_entropy.seeds", [0, 1])
    plan = Plan(project)
    assert plan.reasons["train_policy"] == plan.reasons["sample_data"] == {"new seed"}
    assert plan.reasons["fit_entropy_law"] == {"4 arms added; follows train_policy (4 jobs)"}
    assert re.search(r"\nEstimate: 0\.\d+ CPU-h \(sample_data .*, render_report <0\.001 CPU-h\)\n", plan.text)
    assert re.search(r"\nAt least \d+ (s|min) on the clock", plan.text)


def test_a_pruned_upstream_with_a_new_arm(project):
    for folder in (*project.artifacts("data"), project.root / "results/work/sample_data"):
        shutil.rmtree(folder)
    config = project.settings()
    config["rewards"]["truth"] = {"kind": "truth"}
    config["studies"]["reward_by_entropy"]["rewards"].append("truth")
    project.config.write_text(yaml.safe_dump(config))
    plan = Plan(project)
    assert plan.reasons["sample_data"] == {"its output is gone"}
    assert plan.outcomes["prepare_model", "restored"] == 3 and plan.outcomes["train_policy", "restored"] == 4
    assert "train_policy grpo·truth·kl_cov s0: new arm, nearest is grpo·judge_soft·kl_cov  [computed, " in plan.text
    assert "3 jobs without an earlier run, not in the estimate" in plan.text


def test_forced_jobs_and_lost_pages_are_restored(project):
    plan = Plan(project, "--cores", "2", "policies", "--forcerun", "train_policy")
    assert plan.reasons == {"train_policy": {"forced execution"}}
    assert plan.outcomes == {("train_policy", "restored"): 4}
    (project.root / "results/report/index.html").unlink()
    plan = Plan(project)
    assert plan.text.startswith("render_report: its output is gone  [restored]")


def test_a_changed_gate_restores_the_arms_and_leaves_nothing_stale(project):
    """The audit lets an arm run or not: it is among its inputs, but decides no byte of it."""
    project.set("judges.judge.gate.kappa", -0.99)
    plan = Plan(project, "--cores", "2", "policies")
    assert plan.outcomes == {("audit_judge", "computed"): 1, ("train_policy", "restored"): 2}
    assert project.outcomes("policies") == plan.outcomes
    verified = project.maintain("verify")
    assert verified.returncode == 0 and "stale" not in verified.stdout, verified.stdout


@pytest.mark.parametrize("arguments", [(), ("--quiet", "all")], ids=str)
def test_a_config_error_is_the_line_of_snakemake(project, arguments):
    project.set("teacher", "nobody")
    command = (sys.executable, "-m", "snakemake", "--configfile", str(project.config), *arguments)
    done = project.python("workflow_scripts.planning", *command)
    assert done.returncode == 1
    assert done.stdout == "config: teacher: 'nobody' is not one of base, judge_base, teacher\n"


def test_a_project_that_never_ran(finished, tmp_path):
    project = Project.copy(finished.root, tmp_path / "fresh")
    plan = Plan(project)
    assert set.union(*plan.reasons.values()) == {"new"} and plan.outcomes.total() == 27
    unknown = "27 jobs without an earlier run, not in the estimate: the cost model knows GPUs alone\n"
    assert plan.text.endswith(f"27 jobs: 27 computed\n{unknown}")
