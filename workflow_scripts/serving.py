"""Start, watch and stop a model server inside a job's own allocation.

    with Server.start(lambda port: [...], log) as server:
        server.endpoint.post("/v1/completions", {...})

The server listens on a free port of the loopback interface, asks for a key that is drawn per run and travels in the
environment, prints into a log that every error names, and runs in a process group of its own. Between this process and
that group stands a guard (`python -m workflow_scripts.serving COMMAND`): it ends the whole group as soon as the pipe
from here closes, so that no server outlives its job, not even one that was killed with SIGKILL.
"""

import contextlib
import http.client
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from workflow_scripts.artifacts.errors import StageError

HOST = "127.0.0.1"
START_SECONDS = 1800  # a 72B model from a parallel file system; a server that ends is noticed at once
REQUEST_SECONDS = 1800
GRACE_SECONDS = 10
POLL_SECONDS = 0.25
LAUNCHER = ("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE")
LAUNCHER += ("ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "ROLE_NAME")


@dataclass(frozen=True)
class Endpoint:
    """Where a server listens and how it is asked; may be sent to other processes of this node."""

    port: int
    key: str = field(repr=False)
    log: Path

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def post(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        """The JSON answer to a JSON request. StageError names the log where there is none, or it is a refusal."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=REQUEST_SECONDS)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        try:
            connection.request("POST", path, json.dumps(request), headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise StageError(
                f"model server does not answer ({type(error).__name__}: {error}); log: {self.log}"
            ) from None
        finally:
            connection.close()
        if response.status != 200:
            text = body.decode(errors="replace")[:300]
            raise StageError(f"model server refuses {path} with status {response.status}: {text} (log: {self.log})")
        return json.loads(body)

    def healthy(self) -> bool:
        """Whether the server says that it can be asked."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Server:
    """A running server. `stop`, the end of a `with` block, or the end of this process ends it."""

    def __init__(self, guard: subprocess.Popen, endpoint: Endpoint) -> None:
        self._guard, self.endpoint = guard, endpoint

    @classmethod
    def start(cls, command: Callable[[int], list[str]], log: Path, seconds: float = START_SECONDS) -> "Server":
        """Run the command that `command` makes for a port, and wait until it is healthy.

        Raises StageError naming the log if it ends, or is not healthy after `seconds`; nothing is left running then.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        endpoint = Endpoint(_free_port(), secrets.token_urlsafe(32), log.resolve())
        with log.open("wb") as output:
            guard = subprocess.Popen(
                [sys.executable, "-m", __spec__.name, *command(endpoint.port)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(endpoint.key),
                start_new_session=True,
            )
        server = cls(guard, endpoint)
        try:
            server._wait_until_healthy(seconds)
        except BaseException:  # an interrupt too must leave nothing behind
            server.stop()
            raise
        return server

    def _wait_until_healthy(self, seconds: float) -> None:
        deadline, log = time.monotonic() + seconds, self.endpoint.log
        while not self.endpoint.healthy():
            if self._guard.poll() is not None:
                raise StageError(f"model server ended before it was ready: {_last_error(log)}; log: {log}")
            if time.monotonic() > deadline:
                raise StageError(f"model server was not ready after {seconds:g} s; log: {log}")
            time.sleep(POLL_SECONDS)

    @property
    def group(self) -> int:
        """Id of the process group of guard and server."""
        return self._guard.pid

    def stop(self) -> None:
        """End the server and all that it started. A second call does nothing."""
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.close()
        try:
            self._guard.wait(GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            os.killpg(self._guard.pid, signal.SIGKILL)
            self._guard.wait()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def vllm_environment() -> dict[str, str]:
    """Settings that every vLLM needs here: no reports home, no hub, room for the cache of a CPU build."""
    offline = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    return offline | {"VLLM_CPU_KVCACHE_SPACE": os.environ.get("VLLM_CPU_KVCACHE_SPACE", "1")}


def _environment(key: str) -> dict[str, str]:
    """This process's environment without what a launcher told its ranks."""
    kept = {name: value for name, value in os.environ.items() if name not in LAUNCHER and "TORCHELASTIC" not in name}
    return kept | vllm_environment() | {"VLLM_API_KEY": key}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _last_error(log: Path) -> str:
    """The last line of a log that speaks of an error, else its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it printed nothing"])[-1][:300]


def guard(command: list[str]) -> NoReturn:
    """Run a command until it ends or stdin closes, then end the own process group, this process included."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited by the command
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
        if readable:
            break
    status = child.poll()
    print("guard: the job has ended" if status is None else f"guard: the server ended, status {status}", flush=True)
    os.killpg(0, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)
    raise SystemExit(1)


if __name__ == "__main__":
    guard(sys.argv[1:])
