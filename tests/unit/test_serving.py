"""A model server lives as long as its job and no longer, keeps its key off the process list, and fails with its log.

The server is a small HTTP server in Python; tests/vllm runs the real one.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workflow_scripts.artifacts import StageError
from workflow_scripts.serving import Server

# Healthy at once; answers a POST with its body where the key is right; has a child, as vLLM has its engine.
SERVER = """
import json, os, subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
subprocess.Popen(["sleep", "600"])
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        right = self.headers["Authorization"] == "Bearer " + os.environ["VLLM_API_KEY"] and "RANK" not in os.environ
        self.answer(200 if right else 401, body)
    def answer(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
# A job that starts a server, says in which process group, and is never done.
JOB = """
import sys, time
from pathlib import Path
from tests.unit.test_serving import command
from workflow_scripts.serving import Server
server = Server.start(command, Path(sys.argv[1]))
print(server.group, flush=True)
time.sleep(600)
"""


def command(port: int) -> list[str]:
    return [sys.executable, "-c", SERVER, str(port)]


def alive(group: int) -> list[str]:
    """Command lines of the processes of a group that have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, pgrp = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(pgrp) == group and state != "Z":
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def ends(group: int, seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while alive(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(group)


def test_a_server_is_asked_with_its_key_and_ends_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "3")  # a launcher's ranks are no business of the server
    with Server.start(command, tmp_path / "server.log", seconds=30) as server:
        assert server.endpoint.post("/echo", {"a": 1}) == {"a": 1}
        processes = alive(server.group)
        assert len(processes) == 3  # guard, server, its child
        assert not any(server.endpoint.key in process for process in processes)
        assert server.endpoint.key not in repr(server.endpoint)
    assert not alive(server.group)
    server.stop()


def test_a_server_that_ends_is_reported_with_its_error_and_its_log(tmp_path):
    log = tmp_path / "server.log"
    with pytest.raises(StageError, match=rf"ended before it was ready: ValueError: no such model; log: {log}"):
        Server.start(lambda port: [sys.executable, "-c", "raise ValueError('no such model')"], log, seconds=30)


def test_a_server_that_is_never_ready_is_stopped_at_the_deadline(tmp_path):
    started = []

    def idle(port: int) -> list[str]:
        return ["sh", "-c", f"echo $$ > {tmp_path / 'pid'}; sleep 600"]

    with pytest.raises(StageError, match=r"was not ready after 1 s; log: .*server\.log"):
        started.append(Server.start(idle, tmp_path / "server.log", seconds=1))
    assert not started and not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/exe").exists()


def test_a_server_killed_at_work_is_an_error_that_names_its_log(tmp_path):
    with Server.start(command, tmp_path / "server.log", seconds=30) as server:
        os.killpg(server.group, signal.SIGKILL)
        assert ends(server.group)
        with pytest.raises(StageError, match=r"model server does not answer \(.*log: .*server\.log"):
            server.endpoint.post("/echo", {})


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_its_job(tmp_path, signal_):
    job = subprocess.Popen([sys.executable, "-c", JOB, tmp_path / "server.log"], stdout=subprocess.PIPE, text=True)
    group = int(job.stdout.readline())
    assert alive(group)
    job.send_signal(signal_)
    assert job.wait(10) == -signal_
    assert ends(group)


def test_a_refusal_is_told(tmp_path):
    with Server.start(command, tmp_path / "server.log", seconds=30) as server:
        stranger = type(server.endpoint)(server.endpoint.port, "another key", server.endpoint.log)
        with pytest.raises(StageError, match="refuses /echo with status 401"):
            stranger.post("/echo", {})
