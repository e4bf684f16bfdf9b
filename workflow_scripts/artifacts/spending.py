"""What a computation costs: wall, core and GPU seconds, summed over the attempts that a kill or a walltime ended."""

import contextlib
import os
import resource
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.manifest import read_json, write_json

SPENDING_SECONDS = 3.0


class Clock:
    """Wall and core seconds since the process started, imports included, children too."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self._begin = time.monotonic() - time.process_time()  # imports before this line cost at least their CPU time

    def seconds(self) -> float:
        return time.monotonic() - self._begin

    @staticmethod
    def core_seconds() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in used)


class Spending:
    """What an artifact costs over all attempts: a killed one leaves its sums, a few seconds old, to the next."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock, self._stop = path, clock, threading.Event()
        try:
            self._earlier = read_json(path)
        except StageError:
            self._earlier = {}
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self.started = clock.started
        self.of_others = 0.0  # core-seconds of the other ranks, known at the end

    def __enter__(self) -> "Spending":
        self._thread.start()
        return self

    def __exit__(self, error: type | None, *_) -> None:
        self._stop.set()
        self._thread.join()
        if error:
            self._write()
        else:
            self._path.unlink(missing_ok=True)

    def total(self) -> dict[str, float]:
        """Attempts, and their wall, core and GPU seconds (allocated GPUs x wall seconds)."""
        seconds = self._clock.seconds()
        now = {"attempts": 1, "seconds": seconds, "core_seconds": self._clock.core_seconds() + self.of_others}
        now["gpu_seconds"] = seconds * allocated_gpus()
        return {name: round(value + self._earlier.get(name, 0), 2) for name, value in now.items()}

    def _keep(self) -> None:
        while not self._stop.wait(SPENDING_SECONDS):
            self._write()

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # a full disk is build()'s to report
            write_json(self._path, self.total())


def allocated_gpus() -> int:
    """GPUs that this job holds on all its nodes: by SLURM, else by CUDA, else by what a loaded torch sees."""
    on_node, visible = os.environ.get("SLURM_GPUS_ON_NODE", ""), os.environ.get("CUDA_VISIBLE_DEVICES")
    nodes = int(os.environ.get("SLURM_JOB_NUM_NODES", 1))
    if on_node.isdigit():
        return int(on_node) * nodes
    if visible is not None:
        return nodes * sum(device.strip() not in ("", "-1", "NoDevFiles") for device in visible.split(","))
    torch = sys.modules.get("torch")
    loaded = torch is not None and not getattr(torch.__spec__, "_initializing", False)
    return nodes * torch.cuda.device_count() if loaded else 0
