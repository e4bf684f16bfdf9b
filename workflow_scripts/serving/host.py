"""The servers of one node: started, watched, and ended with whoever has asked for them.

`python -m workflow_scripts.serving.host PLAN` runs on the node, directly or by srun. It leads a process group of its
own, reports the addresses in a line of JSON when all servers are healthy, and ends the whole group when stdin closes
(the rank is gone, even by SIGKILL) or a server ends.
"""

import contextlib
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.serving.client import healthy
from workflow_scripts.serving.devices import VISIBLE, serving_groups
from workflow_scripts.serving.logs import begin, last_error
from workflow_scripts.serving.plan import GRACE_SECONDS, Plan

POLL_SECONDS = 0.25
PORT_TRIES = 5
LOOPBACK = "127.0.0.1"


class HostedServer:
    """One server: its port, its process, its log."""

    def __init__(self, plan: Plan, host: str, devices: str, log: Path) -> None:
        self._plan, self.host, self._devices, self.log = plan, host, devices, log
        self.port, self.ready, self._tries = 0, False, 0
        if str(log) != plan.log:  # which the rank has begun, and its launcher writes to as well
            begin(log)
        self._start()

    def _start(self) -> None:
        self._tries += 1
        self._held = hold_port(self.host)
        self.port = self._held.getsockname()[1]
        self._printed = self.log.stat().st_size
        environment = dict(os.environ) | ({VISIBLE: self._devices} if self._devices else {})
        words = [word.replace("{host}", self.host).replace("{port}", str(self.port)) for word in self._plan.command]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
            )

    def check(self) -> None:
        """Look after the process: ready, or on another port where its own was taken. StageError where it has ended."""
        status = self._process.poll()
        if status is None:
            if not self.ready and healthy(self.host, self.port):
                self.ready = True
                self._held.close()
            return
        if self.ready:
            raise StageError(f"status {status}")
        self._held.close()
        if self._tries == PORT_TRIES or not self._says(os.strerror(errno.EADDRINUSE)):
            raise StageError(f"model server ended before it was ready: {last_error(self.log)}; log: {self.log}")
        with self.log.open("a") as output:
            output.write(f"serving: port {self.port} was taken meanwhile, trying another one\n")
        self._start()

    def _says(self, text: str) -> bool:
        with self.log.open("rb") as log:
            log.seek(self._printed)
            return text.lower() in log.read().decode(errors="replace").lower()


def hold_port(host: str) -> socket.socket:
    """A free port, bound so that nobody is given it by chance, but not listened to, so that the server can bind it too.

    vLLM, like other servers, sets SO_REUSEADDR, some also SO_REUSEPORT.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((host, 0))
    return held


def own_address() -> str:
    """This node's address on the way to the node from which srun was called: the network on which the ranks meet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((os.environ.get("SLURM_LAUNCH_NODE_IPADDR", LOOPBACK), 9))  # sends nothing
        return probe.getsockname()[0]


def host(plan: Plan) -> NoReturn:
    """Run the servers until one ends or stdin closes, then end the own process group, this process included."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited by the servers
    servers: list[HostedServer] = []
    try:
        address = own_address() if plan.remote else LOOPBACK
        for index, devices in enumerate(serving_groups(plan.tensor_parallel)):
            servers.append(HostedServer(plan, address, devices, _log(plan, index)))
        _wait_until_ready(servers, plan)
        _report(endpoints=[[server.host, server.port, str(server.log)] for server in servers])
        while not _stdin_closed():
            for server in servers:
                server.check()
    except Exception as error:  # a traceback would not be printed: this process ends by SIGKILL
        _report(failure=str(error) if isinstance(error, StageError) else f"{type(error).__name__}: {error}")
    finally:
        _end()


def _wait_until_ready(servers: list[HostedServer], plan: Plan) -> None:
    deadline = time.monotonic() + plan.seconds
    while not all(server.ready for server in servers):
        if _stdin_closed():
            _end()
        for server in servers:
            server.check()
        late = [server.log for server in servers if not server.ready]
        if late and time.monotonic() > deadline:
            raise StageError(f"model server was not ready after {plan.seconds:g} s; log: {late[0]}")


def _log(plan: Plan, index: int) -> Path:
    """A log per server of this node; nodes of their own have theirs beside that of srun."""
    parts = [os.environ.get("SLURMD_NODENAME", "node")] if plan.remote else []
    return Path(".".join([plan.log, *parts, *([str(index)] if index else [])]))


def _stdin_closed() -> bool:
    """Whether the rank has let go; waits a little for it."""
    return bool(select.select([sys.stdin], [], [], POLL_SECONDS)[0])


def _report(**line: object) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        print(json.dumps(line), flush=True)


def _end() -> NoReturn:
    """SIGTERM to the group, and SIGKILL where something is left of it after the time of grace."""
    os.killpg(0, signal.SIGTERM)
    until = time.monotonic() + GRACE_SECONDS
    with contextlib.suppress(ChildProcessError):  # no server is left
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)
    raise SystemExit(1)


if __name__ == "__main__":
    host(Plan(**json.loads(sys.argv[1])))
