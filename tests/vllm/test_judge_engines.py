"""One judge, three engines: the same probabilities, masses, verdicts and rewards to 1e-3, and servers that end.

Each start of vLLM takes most of a minute on two cores, so one engine of a kind serves all tests.
"""

import http.client
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

from tests.unit.rewards.test_labelling import STAGE, Labels
from tests.unit.serving.processes import alive, command_lines, ends
from tests.vllm.conftest import ANSWERS, COUNT, QUESTIONS, REFERENCES
from workflow_scripts.artifacts import StageError
from workflow_scripts.rewards import RewardBatch
from workflow_scripts.rewards.judge import Judge
from workflow_scripts.rewards.judge_engines import EngineSettings, Job
from workflow_scripts.rewards.judge_reward import from_judge

TOLERANCE = 1e-3
# Scores for ever with a served judge, after saying in which process group its server is, on which port, and its key.
JOB = """
import json, sys
from pathlib import Path
from workflow_scripts.rewards.judge import Judge
from workflow_scripts.rewards.judge_engines import EngineSettings, Job
judge = Judge.load(sys.argv[1], "judge_nano", settings=EngineSettings(engine="served"), job=Job(log=Path(sys.argv[2])))
endpoint = judge.engine.servers.started.endpoints[0]
print(judge.engine.servers.started.group, endpoint.port, endpoint.key, flush=True)
while True:
    judge.score(["1+1=?"], ["2"], ["two"])
"""
SERVED = {"engine": "served", "max_length": 64}
# The labelling stage, whose server is killed by SIGKILL when the third shard is asked for.
KILLS_ITS_SERVER = """
import os, signal, sys
from tests.unit.serving.processes import alive
from workflow_scripts.rewards import judge, labelling
from workflow_scripts.stages import label_rollouts
calls, score = [], labelling._score
def killing(judge, rows):
    calls.append(rows)
    if len(calls) == 3:
        group = judge.engine.servers.started.group
        lines = alive(group).items()
        os.kill(next(pid for pid, line in lines if "api_server" in line and "serving.host" not in line), signal.SIGKILL)
    return score(judge, rows)
labelling._score = killing
sys.exit(label_rollouts.main(sys.argv[1:]))
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
    """A process that scores without end, and the group, port and key of its server."""
    log = tmp_path / "server.log"
    job = subprocess.Popen(
        [sys.executable, "-c", JOB, model_dir, log], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    group, port, key = job.stdout.readline().split()
    assert len(alive(int(group))) >= 3  # host, server, engine
    yield job, int(group), int(port), key
    job.kill()
    job.communicate()


def test_a_server_killed_at_work_ends_the_job_with_an_error_that_names_the_log(served):
    """The server's own process; its host and engine follow."""
    job, group, _, _ = served
    (server,) = [pid for pid, line in alive(group).items() if "api_server" in line and "serving.host" not in line]
    os.kill(server, signal.SIGKILL)
    begun = time.monotonic()
    _, errors = job.communicate(timeout=30)
    assert job.returncode == 1 and time.monotonic() - begun < 20
    last = errors.strip().splitlines()[-1]
    assert "model server has ended: " in last and "server.log" in last
    assert ends(group, seconds=20)


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_keeps_its_key_and_ends_with_its_job(served, signal_, tmp_path):
    job, group, port, key = served
    for path in ("/v1/completions", "/invocations", "/tokenize", "/v1/models", "/metrics"):
        assert [status(port, path, given) for given in ("", "another")] == [401, 401], path
    assert status(port, "/health", "", "GET") == 200 and status(port, "/v1/models", key, "GET") == 200
    assert not any(key in line for line in command_lines()) and key not in (tmp_path / "server.log").read_text()
    job.send_signal(signal_)
    assert job.wait(30) == -signal_
    assert ends(group, seconds=40)


def status(port: int, path: str, key: str, method: str = "POST") -> int:
    """What a stranger with this key is answered on loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps({"model": "judge", "prompt": "1", "max_tokens": 1}) if method == "POST" else None
    connection.request(method, path, body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    found = connection.getresponse().status
    connection.close()
    return found


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


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    """Inputs of the labelling stage, and the table that the judge in process makes of them."""
    pytest.importorskip("vllm", reason="needs vLLM: make vllm-test")
    labels = Labels(tmp_path_factory.mktemp("labels"))
    done, manifest = labels.run("inprocess")
    assert done.returncode == 0, done.stdout
    return labels, manifest


def same_labels(one: Path, two: Path) -> None:
    """To rounding; a vote may turn where P(YES) is within rounding of its draw."""
    one, two = (pq.read_table(manifest.parent / "labels.parquet").to_pandas() for manifest in (one, two))
    for column in ("p_yes", "mass"):
        assert np.abs(one[column] - two[column]).max() < TOLERANCE, column
    changed = ["p_yes", "mass", "votes"]
    assert one.drop(columns=changed).equals(two.drop(columns=changed))


def test_two_ranks_share_a_server_and_make_the_labels_of_the_judge_in_process(labels):
    """The stage itself, under torchrun; nothing of the server is left when it is done."""
    inputs, alone = labels
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m")
    done, together = inputs.run("served", (*torchrun, f"workflow_scripts.stages.{STAGE}"), judging=SERVED)
    assert done.returncode == 0, done.stdout
    same_labels(alone, together)
    assert not any("api_server" in line and str(inputs.root) in line for line in command_lines())


def test_a_server_killed_in_the_middle_costs_a_line_and_its_shard(labels):
    """The stage ends with one line; run again, it keeps the shards that were there and makes the same labels."""
    inputs, alone = labels
    done, manifest = inputs.run("killed", ("-c", KILLS_ITS_SERVER), judging=SERVED)
    assert done.returncode == 1 and not manifest.exists()
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith(f"{STAGE}: model server has ended: ") and "teacher.server.log" in last, done.stdout[-2000:]
    assert "Traceback" not in done.stdout + done.stderr
    assert not any("api_server" in line and str(inputs.root) in line for line in command_lines())

    done, _ = inputs.run("killed", judging=SERVED)
    assert done.returncode == 0 and "2 of 9 shards are there, labelling the others" in done.stdout, done.stdout
    same_labels(alone, manifest)
