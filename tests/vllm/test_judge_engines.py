"""One judge, three engines: the same probabilities, masses, verdicts and rewards to 1e-3, and servers that end.

Each start of vLLM takes most of a minute on two cores, so one engine of a kind serves all tests.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.unit.rewards.test_labelling import Labels
from tests.unit.serving.processes import alive, ends
from tests.vllm.conftest import ANSWERS, COUNT, QUESTIONS, REFERENCES
from workflow_scripts.artifacts import StageError
from workflow_scripts.rewards import RewardBatch
from workflow_scripts.rewards.judge import Judge
from workflow_scripts.rewards.judge_engines import EngineSettings, Job
from workflow_scripts.rewards.judge_reward import from_judge

TOLERANCE = 1e-3
# Scores for ever with a served judge, after saying in which process group its server is.
JOB = """
import json, sys
from pathlib import Path
from workflow_scripts.rewards.judge import Judge
from workflow_scripts.rewards.judge_engines import EngineSettings, Job
judge = Judge.load(sys.argv[1], "judge_nano", settings=EngineSettings(engine="served"), job=Job(log=Path(sys.argv[2])))
print(judge.engine._server.group, flush=True)
while True:
    judge.score(["1+1=?"], ["2"], ["two"])
"""


@pytest.fixture(scope="module")
def scores(model_dir, tmp_path_factory):
    """Scores of all engines by name, each started and closed once."""
    log = tmp_path_factory.mktemp("log") / "server.log"
    found = {}
    for engine in ("inprocess", "vllm", "served"):
        settings = EngineSettings(engine=engine, batch=32)
        with Judge.load(model_dir, "judge_nano", settings=settings, job=Job(log=log)) as judge:
            found[engine] = judge.score(QUESTIONS, ANSWERS, REFERENCES)
            batch = RewardBatch(["q"] * COUNT, ["s"] * COUNT, QUESTIONS, ANSWERS, REFERENCES)
            found[engine, "reward"] = from_judge(judge, {"soft": True, "form": "eq4"})(batch)
    return found


@pytest.mark.parametrize("engine", ["vllm", "served"])
def test_engines_give_the_same_probabilities_and_labels(scores, engine):
    mine, other = scores["inprocess"], scores[engine]
    assert mine.p_yes.std() > 0.1 and 0.2 < mine.verdicts.mean() < 0.8 and mine.low_mass.any()
    assert min(np.abs(mine.p_yes - 0.5).min(), np.abs(mine.mass - 0.5).min()) > 1e-5  # no tie that rounding breaks
    for name in ("yes", "no", "mass", "p_yes"):
        assert np.abs(getattr(mine, name) - getattr(other, name)).max() < TOLERANCE, name
    assert (mine.verdicts == other.verdicts).all() and (mine.low_mass == other.low_mass).all()


@pytest.mark.parametrize("engine", ["vllm", "served"])
def test_a_judge_gives_the_same_reward_in_process_and_served(scores, engine):
    mine, other = scores["inprocess", "reward"], scores[engine, "reward"]
    assert mine.values.std() > 0.1
    assert np.abs(mine.values - other.values).max() < TOLERANCE and (mine.verdicts == other.verdicts).all()


@pytest.fixture
def served(model_dir, tmp_path):
    """A process that scores without end, and the group of its server."""
    log = tmp_path / "server.log"
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, model_dir, log], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    group = int(job.stdout.readline())
    assert len(alive(group)) >= 3  # guard, server, engine
    yield job, group
    job.kill()
    job.communicate()


def test_a_server_killed_at_work_ends_the_job_with_an_error_that_names_the_log(served):
    job, group = served
    os.killpg(group, signal.SIGKILL)
    _, errors = job.communicate(timeout=30)
    assert job.returncode == 1
    last = errors.strip().splitlines()[-1]
    assert "model server does not answer" in last and "server.log" in last


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_ends_with_its_job(served, signal_):
    job, group = served
    key = [process for process in alive(group) if "Bearer" in process or "VLLM_API_KEY" in process]
    assert not key
    job.send_signal(signal_)
    assert job.wait(30) == -signal_
    assert ends(group, seconds=40)


def test_a_model_that_vllm_cannot_load_is_reported_with_the_log(model_dir, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in Path(model_dir).iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"architectures": ["NoSuchModel"]}))
    log, begun = tmp_path / "server.log", time.monotonic()
    with pytest.raises(StageError, match=rf"model server ended before it was ready: .*; log: {log}"):
        Judge.load(broken, "judge_nano", settings=EngineSettings(engine="served"), job=Job(log=log))
    assert time.monotonic() - begun < 120


def test_two_ranks_share_a_server_and_make_the_labels_of_the_judge_in_process(model_dir, tmp_path):
    """The stage itself, under torchrun; nothing of the server is left when it is done."""
    labels = Labels(tmp_path / "inputs")
    done, alone = labels.run("inprocess")
    assert done.returncode == 0, done.stdout
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m")
    done, together = labels.run(
        "served", (*torchrun, "workflow_scripts.stages.label_rollouts"), judging={"engine": "served", "max_length": 64}
    )
    assert done.returncode == 0, done.stdout
    one, two = (pq.read_table(manifest.parent / "labels.parquet").to_pandas() for manifest in (alone, together))
    for column in ("p_yes", "mass"):
        assert np.abs(one[column] - two[column]).max() < TOLERANCE, column
    changed = ["p_yes", "mass", "votes"]  # a vote may turn where P(YES) is within rounding of its draw
    assert one.drop(columns=changed).equals(two.drop(columns=changed))
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(b"api_server" in line and str(tmp_path).encode() in line for line in running)
