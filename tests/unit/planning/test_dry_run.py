"""The dry run is read job by job, and what is not understood is an error."""

import json
import shlex
import sys

import pytest

from workflow_scripts.planning.dry_run import DryRunError, dry_run

SPEC = {"stage": "train_policy", "config": {"title": "it's a 'title' --output x --work y"}, "code": "c", "inputs": {}}
LINE = (
    f"Shell command: python -m workflow_scripts.stages.train_policy --spec {shlex.quote(json.dumps(SPEC))}"
    " --output 'my results/policies/a.s0-0123456789/manifest.json' --work 'my results/work' --environment cpu"
    " --input 'policy=my results/models/bäse.s0-aaaaaaaaaa/manifest.json'"
    " --input data=data/q.s0-bbbbbbbbbb/manifest.json"
    " --threads 1 --minutes 60 --log-file x.log"
)
STATS = "Job stats:\njob             count\n------------  -------\ntrain_policy      {}\nall               1\n\n"


def printing(tmp_path, text: str, status: int = 0) -> list[str]:
    """A command that prints what a dry run would."""
    (tmp_path / "text").write_text(text)
    program = "import sys; print(open(sys.argv[1]).read()); sys.exit(int(sys.argv[2]))"
    return [sys.executable, "-c", program, str(tmp_path / "text"), str(status)]


def test_a_job_is_read_from_its_shell_line(tmp_path):
    text = STATS.format(1) + f"Job 3: Training\nReason: Missing output files: x\n{LINE}\n"
    (job,) = dry_run(printing(tmp_path, text))
    assert job.spec == SPEC and job.stage == "train_policy" and job.environment == "cpu"
    assert (job.name, job.key, job.reason) == ("a.s0", "0123456789", "Missing output files: x")
    assert str(job.output) == "my results/policies/a.s0-0123456789/manifest.json"
    assert {role: str(path) for role, path in job.inputs.items()} == {
        "policy": "my results/models/bäse.s0-aaaaaaaaaa/manifest.json",
        "data": "data/q.s0-bbbbbbbbbb/manifest.json",
    }


def test_a_job_that_is_counted_but_not_read_is_an_error(tmp_path):
    with pytest.raises(DryRunError, match="other jobs than it counts: train_policy"):
        dry_run(printing(tmp_path, STATS.format(2) + LINE))


def test_a_failed_dry_run_keeps_its_words_and_status(tmp_path):
    with pytest.raises(DryRunError, match="^config: steps: bad$") as caught:
        dry_run(printing(tmp_path, "config: steps: bad\n", 3))
    assert caught.value.status == 3


def test_nothing_to_do_is_no_job(tmp_path):
    assert dry_run(printing(tmp_path, "Nothing to be done (all requested files are present and up to date).")) == []
