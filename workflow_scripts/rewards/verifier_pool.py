"""Worker processes that can be killed: a check that hangs in C code costs its deadline, and nothing else.

Each worker is forked off a fork server, a small process that has loaded the checker and nothing of this one (no CUDA
context, no threads), and has one pipe. It is killed and replaced when a pair passes its deadline, when it dies, when it
reports an error (its memory may be full) and after `lifetime` pairs, so that no cache grows without end. A pair whose
worker dies is tried once more: SLURM's SIGTERM goes to all processes of a job, and says nothing about the pair. Strings
go through the pipes, never pickles.
"""

import contextlib
import json
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import ModuleType

from workflow_scripts.rewards.verdict import Verdict

DEADLINE = 5.0  # seconds per pair
MEMORY = 2 << 30  # bytes of address space, beyond what the loaded checker takes
LIFETIME = 1000  # pairs per worker
START = 120.0  # seconds in which a worker must be ready

Task = tuple[str, ...]
Check = Callable[..., str]  # the strings of a task -> the value of a Verdict


class VerifierPool:
    """Up to `workers` processes that run `check`, a function at the top of a module; used from any thread."""

    def __init__(
        self,
        check: Check,
        *,
        workers: int | None = None,
        deadline: float = DEADLINE,
        memory: int = MEMORY,
        lifetime: int = LIFETIME,
        preload: Sequence[str] = (),
    ) -> None:
        """`preload` names modules that the fork server imports once; `workers` defaults to the cores, at most 16."""
        self.size = workers or min(16, len(os.sched_getaffinity(0)))
        self.check, self.deadline, self.memory, self.lifetime = check, deadline, memory, lifetime
        self.started = 0  # workers started so far
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._changed = threading.Condition()
        self._idle: list[_Worker] = []
        self._alive, self._waiting, self._closed = 0, 0, False

    def verify(self, tasks: Sequence[Task]) -> list[Verdict]:
        """Verdicts in the order of `tasks`."""
        verdicts = dict(self.as_completed(tasks))
        return [verdicts[index] for index in range(len(tasks))]

    def as_completed(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Verdict]]:
        """(index, verdict) of every task, as they come; who stops reading early abandons the rest.

        Raises RuntimeError where the pool is closed or a worker cannot be started.
        """
        todo, busy, bereft = deque(range(len(tasks))), {}, set()
        try:
            while todo or busy:
                while todo and (worker := self._take(patient=not busy)):
                    index = todo.popleft()
                    worker.send(tasks[index])
                    busy[worker.connection] = _Running(worker, index, time.monotonic() + self.deadline)
                for running, verdict in _finished(busy):
                    del busy[running.worker.connection]
                    self._give(running.worker, sound=verdict is not None and not verdict.failed)
                    if verdict is None and running.index not in bereft:
                        bereft.add(running.index)
                        todo.append(running.index)
                    else:
                        yield running.index, verdict or Verdict.ERROR
        finally:
            for running in busy.values():
                self._give(running.worker, sound=False)

    def close(self) -> None:
        """End the workers; those at work end with their pair."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            self._alive -= len(idle)
            self._changed.notify_all()
        for worker in idle:
            worker.kill()

    def __enter__(self) -> "VerifierPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, patient: bool) -> "_Worker | None":
        """A worker of this caller's own; None if there is none and the caller is not `patient`, or others wait."""
        with self._changed:
            self._bury_dead()
            if self._waiting and not patient:
                return None
            while not self._closed and not self._idle and self._alive >= self.size:
                if not patient:
                    return None
                self._waiting += 1
                self._changed.wait()
                self._waiting -= 1
            if self._closed:
                raise RuntimeError("the verifier pool is closed")
            if self._idle:
                return self._idle.pop()
            self._alive += 1
            self.started += 1
        try:
            return _Worker(self._context, self.check, self.deadline, self.memory)
        except BaseException:
            self._forget()
            raise

    def _give(self, worker: "_Worker", sound: bool) -> None:
        with self._changed:
            kept = sound and not self._closed and worker.served < self.lifetime
            if kept:
                self._idle.append(worker)
                self._changed.notify()
        if not kept:
            worker.kill()
            self._forget()

    def _bury_dead(self) -> None:
        """Drop idle workers that something else has ended. Under the condition."""
        dead = [worker for worker in self._idle if not worker.process.is_alive()]
        for worker in dead:
            self._idle.remove(worker)
            self._alive -= 1
            worker.kill()

    def _forget(self) -> None:
        with self._changed:
            self._alive -= 1
            self._changed.notify()


class _Worker:
    """One process and its pipe, ready when constructed."""

    def __init__(self, context: multiprocessing.context.BaseContext, check: Check, deadline: float, memory: int):
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, check, deadline, memory), daemon=True)
        with _no_main_module():
            self.process.start()
        theirs.close()
        self.served = 0
        if self._receive(START) != "ready":
            self.kill()
            raise RuntimeError("a verifier worker did not start: see its error above")

    def send(self, task: Task) -> None:
        self.served += 1
        with contextlib.suppress(OSError):  # it has died: reading its pipe will say so
            self.connection.send_bytes(json.dumps(task).encode())

    def verdict(self) -> Verdict | None:
        """The verdict that stands in the pipe; None from a worker that died."""
        reply = self._receive(0.0)
        return Verdict(reply) if reply in list(Verdict) else None

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.process.close()
        self.connection.close()

    def _receive(self, seconds: float) -> str:
        try:
            return self.connection.recv_bytes(1024).decode() if self.connection.poll(seconds) else ""
        except (EOFError, OSError):
            return ""


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Starts in here do not import the caller's script again, which may have no file, or no guard around its work."""
    with _STARTING:
        main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


_STARTING = threading.Lock()


@dataclass(frozen=True)
class _Running:
    worker: _Worker
    index: int
    due: float


def _finished(busy: dict[Connection, _Running]) -> list[tuple[_Running, Verdict | None]]:
    """Waits for a reply or the next deadline; what has come, None of the dead, and what is overdue and has not."""
    first = min(running.due for running in busy.values())
    ready = wait(list(busy), max(0.0, first - time.monotonic()))
    found = [(busy[connection], busy[connection].worker.verdict()) for connection in ready]
    now = time.monotonic()
    late = [running for connection, running in busy.items() if running.due <= now and connection not in ready]
    return found + [(running, Verdict.TIMEOUT) for running in late]


# ------------------------------------------------------------------------------------------ in the worker
def _serve(connection: Connection, check: Check, deadline: float, memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end closes the pipe
    _limit(resource.RLIMIT_AS, _address_space() + memory)
    connection.send_bytes(b"ready")
    while True:
        try:
            task = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        # an orphan whose parent was killed has no one to keep its deadline: it ends by its processor time
        _limit(resource.RLIMIT_CPU, int(time.process_time() + deadline) + 2)
        try:
            reply = check(*task)
        except Exception:
            reply = Verdict.ERROR
        connection.send_bytes(reply.encode())


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _address_space() -> int:
    """Bytes that this process has mapped."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
