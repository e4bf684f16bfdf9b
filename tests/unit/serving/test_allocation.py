"""Ranks of one node share its servers and what may be in flight, and fail together where a server does not start."""

import json
import os
import subprocess
import sys

import pytest

from tests.project import ROOT
from tests.unit.serving.processes import command_lines

RANK = """
import json, sys
from pathlib import Path
from tests.unit.serving.small_server import COMMAND
from workflow_scripts.artifacts import StageError
from workflow_scripts.ranks import start_ranks
from workflow_scripts.serving import serve
from workflow_scripts.serving.devices import hide_serving_gpus
import os
hide_serving_gpus()
ranks = start_ranks()
command = COMMAND if sys.argv[2] == "right" else [sys.executable, "-c", "raise ValueError('no such model')"]
try:
    servers = serve(command, ranks, Path(sys.argv[1]) / "server.log", seconds=60)
except StageError as error:
    said = {"error": str(error)}
else:
    seen = servers.client.post("/seen", {})
    visible = os.environ["CUDA_VISIBLE_DEVICES"]
    said = {"own": visible, "limit": servers.client.limit, **seen}
    ranks.gather(None)
    servers.close()
Path(sys.argv[1], f"{ranks.rank}.json").write_text(json.dumps(said))
ranks.part_company()
"""


@pytest.mark.parametrize("command", ["right", "wrong"])
def test_two_ranks_and_a_server_on_the_third_gpu(tmp_path, command):
    (script := tmp_path / "rank.py").write_text(RANK)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment |= {"RANK_GPUS": "2", "SERVING_GPUS": "1", "CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b,GPU-c"}
    done = subprocess.run(
        [sys.executable, *torchrun, script, tmp_path, command],
        text=True,
        capture_output=True,
        env=environment,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    if command == "right":
        for row in rows:
            assert (row["own"], row["CUDA_VISIBLE_DEVICES"]) == ("GPU-a,GPU-b", "GPU-c")
            assert row["limit"] == 2 and row["WORLD_SIZE"] is None
    else:
        errors = {row["error"] for row in rows}
        assert len(errors) == 1 and "ended before it was ready: ValueError: no such model; log: " in errors.pop()
    assert not any("serving.host" in line and str(tmp_path) in line for line in command_lines())
