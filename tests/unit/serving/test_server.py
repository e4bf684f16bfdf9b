"""A model server lives as long as its job and no longer, keeps its key off the process list, and fails with its log.

The server is a small HTTP server in Python; tests/vllm runs the real one, tests/slurm servers on other nodes.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.serving.processes import alive, command_lines, ends
from tests.unit.serving.small_server import COMMAND
from workflow_scripts.artifacts import StageError
from workflow_scripts.serving import Client, Server

# A job that starts a server, says in which process group, and is never done.
JOB = """
import sys, time
from pathlib import Path
from tests.unit.serving.small_server import COMMAND
from workflow_scripts.serving import Server
server = Server.start(COMMAND, Path(sys.argv[1]))
print(server.group, flush=True)
time.sleep(600)
"""
# Fails to bind twice, as if someone had been faster, then serves.
LATE = """
import os, pathlib, sys
tries = pathlib.Path(sys.argv[1])
tries.write_text(tries.read_text() + sys.argv[3] + " ")
if len(tries.read_text().split()) < 3:
    raise OSError(98, os.strerror(98))
os.execv(sys.executable, [sys.executable, "-m", "tests.unit.serving.small_server", *sys.argv[2:]])
"""


def python(text: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", text, *arguments]


def ask(server: Server, path: str, request: dict | None = None) -> dict:
    return Client(server.endpoints).post(path, request or {})


def test_a_server_is_asked_with_its_key_and_ends_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "3")  # a launcher's ranks are no business of the server
    with Server.start(COMMAND, tmp_path / "server.log", seconds=30) as server:
        (endpoint,) = server.endpoints
        assert endpoint.host == "127.0.0.1" and ask(server, "/echo", {"a": 1}) == {"a": 1}
        assert ask(server, "/seen")["RANK"] is None
        assert len(alive(server.group)) == 3  # host, server, its child
        assert not any(endpoint.key in line for line in command_lines())
        assert endpoint.key not in repr(endpoint) and endpoint.key not in endpoint.log.read_text()
    assert not alive(server.group)
    server.stop()


def test_nobody_else_is_let_in(tmp_path):
    with Server.start(COMMAND, tmp_path / "server.log", seconds=30) as server:
        (endpoint,) = server.endpoints
        stranger = type(endpoint)(endpoint.host, endpoint.port, "another key", endpoint.log, endpoint.watch)
        with pytest.raises(StageError, match=r"refuses /echo with status 401: .*log: .*server\.log"):
            Client([stranger]).post("/echo", {})


def test_a_server_per_group_of_gpus(tmp_path, monkeypatch):
    monkeypatch.setenv("SERVING_DEVICES", "4,MIG-6,GPU-5a,7")
    with Server.start(COMMAND, tmp_path / "server.log", tensor_parallel=2, seconds=30) as server:
        assert [Client([endpoint]).post("/seen", {})["CUDA_VISIBLE_DEVICES"] for endpoint in server.endpoints] == [
            "4,MIG-6",
            "GPU-5a,7",
        ]
        assert [endpoint.log.name for endpoint in server.endpoints] == ["server.log", "server.log.1"]
        assert len({endpoint.port for endpoint in server.endpoints}) == 2
    assert not alive(server.group)


def test_a_server_that_ends_is_reported_with_its_error_and_its_log(tmp_path):
    log = tmp_path / "server.log"
    with pytest.raises(StageError, match=rf"ended before it was ready: ValueError: no such model; log: {log}"):
        Server.start(python("raise ValueError('no such model')"), log, seconds=30)


def test_the_next_attempt_quotes_its_own_log_and_keeps_the_one_before(tmp_path, monkeypatch):
    monkeypatch.setenv("SERVING_DEVICES", "0,1")
    logs = [tmp_path / name for name in ("server.log", "server.log.1")]
    for log in logs:
        log.write_text("OSError: of an attempt before\n")
    with Server.start(COMMAND, logs[0], seconds=30):
        assert [log.read_text() for log in logs] == ["small server: listening\n"] * 2
    assert all("before" in log.with_name(f"{log.name}.before").read_text() for log in logs)


def test_a_server_that_is_never_ready_is_stopped_at_the_deadline(tmp_path):
    idle = ["sh", "-c", f"echo $$ > {tmp_path / 'pid'}; sleep 600"]
    with pytest.raises(StageError, match=r"was not ready after 1 s; log: .*server\.log"):
        Server.start(idle, tmp_path / "server.log", seconds=1)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/exe").exists()


def test_a_port_that_was_taken_costs_a_line(tmp_path):
    (tries := tmp_path / "tries").write_text("")
    log = tmp_path / "server.log"
    with Server.start(python(LATE, str(tries), "{host}", "{port}"), log, seconds=30) as server:
        assert ask(server, "/echo", {"a": 1}) == {"a": 1}
    ports = tries.read_text().split()
    assert len(ports) == 3 and str(server.endpoints[0].port) == ports[-1]
    assert [f"serving: port {port} was taken meanwhile, trying another one" in log.read_text() for port in ports] == [
        *(True, True, False)
    ]


def test_a_port_that_is_always_taken_is_an_error(tmp_path):
    with pytest.raises(StageError, match=r"OSError: \[Errno 98\] Address already in use"):
        Server.start(python("import os; raise OSError(98, os.strerror(98))"), tmp_path / "server.log", seconds=30)
    assert (tmp_path / "server.log").read_text().count("trying another one") == 4


def test_a_held_port_is_free_for_the_server_and_given_to_nobody():
    from workflow_scripts.serving.host import hold_port

    held = hold_port("127.0.0.1")
    port = held.getsockname()[1]
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    others = [hold_port("127.0.0.1") for _ in range(200)]
    assert port not in {other.getsockname()[1] for other in others}
    assert len({other.getsockname()[1] for other in others}) == 200
    with socket.socket() as server:  # as http.server, uvicorn and vLLM do
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen()
    for socket_ in (held, *others):
        socket_.close()


@pytest.mark.parametrize("whole_group", [True, False])
def test_a_server_killed_at_work_is_noticed_at_once(tmp_path, whole_group):
    """Whether it alone is killed or its host with it; the error names its log and its last error."""
    with Server.start(COMMAND, tmp_path / "server.log", seconds=30) as server:
        with (tmp_path / "server.log").open("a") as log:
            log.write("RuntimeError: CUDA error: an illegal memory access\nbye\n")
        begun = time.monotonic()
        if whole_group:
            os.killpg(server.group, signal.SIGKILL)
        else:
            (pid,) = [
                pid for pid, line in alive(server.group).items() if "small_server" in line and pid != server.group
            ]
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(
            StageError, match=r"model server has ended: RuntimeError: CUDA error: an illegal .*; log: .*server\.log"
        ):
            while True:
                ask(server, "/echo")
        assert time.monotonic() - begun < 5 and ends(server.group)
    assert "serving: the model server has ended: " in (tmp_path / "server.log").read_text()


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_its_job(tmp_path, signal_):
    job = subprocess.Popen([sys.executable, "-c", JOB, tmp_path / "server.log"], stdout=subprocess.PIPE, text=True)
    group = int(job.stdout.readline())
    assert len(alive(group)) == 3
    job.send_signal(signal_)
    assert job.wait(10) == -signal_
    assert ends(group)
