"""Start, watch and stop the model servers of one node, or of the nodes that a job sets aside for them.

Between a rank and the servers stands a host process per node (host.py), which ends them as soon as the pipe from here
closes: no server outlives its job, not even one that was killed with SIGKILL. On nodes of their own the hosts are tasks
of one `srun --overlap` (the launcher that the placement gives in SERVING_LAUNCHER). What a host says and what it ends
with comes back through another pipe, read by a thread: the end of a server is in its log at once.
"""

import contextlib
import json
import os
import queue
import secrets
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.serving.client import Endpoint
from workflow_scripts.serving.devices import VISIBLE
from workflow_scripts.serving.logs import begin, last_error, note_end
from workflow_scripts.serving.plan import GRACE_SECONDS, Plan

START_SECONDS = 1500  # a 72B model from a parallel file system; ranks that wait give up after gloo's 1800
REPORT_SECONDS = 30  # for srun to start the hosts, beside the time of the servers
LAUNCHER = ("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE")
LAUNCHER += ("ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "ROLE_NAME")


class Server:
    """Running servers of this node, or of others. `stop`, the end of a `with` block or of this process ends them."""

    def __init__(self, process: subprocess.Popen, log: Path, key: str) -> None:
        self._process, self._log, self._key, self._stopping = process, log, key, False
        self.endpoints: list[Endpoint] = []
        self._reports: queue.Queue[dict | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    @classmethod
    def start(
        cls,
        command: list[str],
        log: Path,
        *,
        tensor_parallel: int = 1,
        nodes: int = 0,
        seconds: float = START_SECONDS,
    ) -> "Server":
        """Run the command, `{host}` and `{port}` filled in, once per group of GPUs; wait until all are healthy.

        Here, or on `nodes` > 0 nodes of their own. Raises StageError naming the log if a server ends, or is not healthy
        after `seconds`; nothing is left running then.
        """
        log = log.resolve()
        log.parent.mkdir(parents=True, exist_ok=True)
        key, plan = secrets.token_urlsafe(32), Plan(command, str(log), tensor_parallel, seconds, remote=nodes > 0)
        launcher = shlex.split(os.environ["SERVING_LAUNCHER"]) if nodes else []
        begin(log)
        with log.open("ab") as output:  # others write to it too
            process = subprocess.Popen(
                [*launcher, sys.executable, "-m", "workflow_scripts.serving.host", plan.to_json()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=_environment(key, remote=nodes > 0),
                start_new_session=True,
                text=True,
            )
        server = cls(process, log, key)
        try:
            server._wait_until_ready(max(nodes, 1), seconds + REPORT_SECONDS)
        except BaseException:  # an interrupt too must leave nothing behind
            server.stop()
            raise
        return server

    def _wait_until_ready(self, hosts: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for _ in range(hosts):
            try:
                report = self._reports.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise StageError(
                    f"model server was not ready after {seconds:g} s: {last_error(self._log)}; log: {self._log}"
                ) from None
            if report is None:
                raise StageError(f"model server ended before it was ready: {last_error(self._log)}; log: {self._log}")
            if "failure" in report:
                raise StageError(report["failure"])
            found = [(host, port, Path(log)) for host, port, log in report["endpoints"]]
            self.endpoints += [Endpoint(host, port, self._key, log, self._log) for host, port, log in found]

    def _listen(self) -> None:
        """Take the hosts' reports; where they end by themselves, note that in the log, which all ranks can read."""
        reason = "its host was killed"
        for line in self._process.stdout:
            if not line.startswith("{"):  # srun and libraries may print as well
                continue
            report = json.loads(line)
            self._reports.put(report)
            if "failure" in report:
                reason = report["failure"]
                break
        if not self._stopping:
            note_end(self._log, reason)
        self._reports.put(None)

    @property
    def group(self) -> int:
        """Id of the process group of host and servers, or of srun."""
        return self._process.pid

    def stop(self) -> None:
        """End the servers and all that they started. A second call does nothing."""
        self._stopping = True
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):  # srun ends its tasks at the first
            try:
                self._process.wait(GRACE_SECONDS + 5)
                return
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, number)
        self._process.wait()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.stop()


def vllm_environment() -> dict[str, str]:
    """Settings that every vLLM needs here: no reports home, no hub, room for the cache of a CPU build."""
    offline = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    return offline | {"VLLM_CPU_KVCACHE_SPACE": os.environ.get("VLLM_CPU_KVCACHE_SPACE", "1")}


def _environment(key: str, remote: bool) -> dict[str, str]:
    """This process's environment without what a launcher told its ranks, and for srun without that of this step."""
    kept = {name: value for name, value in os.environ.items() if name not in LAUNCHER and "TORCHELASTIC" not in name}
    if remote:
        mine = ("SLURM_", "SLURMD_", VISIBLE)
        conf = {"SLURM_CONF", "SLURM_JOB_ID"}
        kept = {name: value for name, value in kept.items() if not name.startswith(mine) or name in conf}
    return kept | vllm_environment() | {"VLLM_API_KEY": key}
