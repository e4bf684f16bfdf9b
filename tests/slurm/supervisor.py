"""The parent of every process of a test cluster: starts daemons, and ends whatever descends from it.

It adopts orphans (PR_SET_CHILD_SUBREAPER), so that the steps and job processes that SLURM's daemons detach stay its
descendants. It ends them all, and itself, when its standard input closes, which it does whenever the process that
holds the other end dies, or when its hard deadline passes: nothing of a cluster survives a killed test.

Protocol, a JSON line each: {"start": [argv], "log": path} is answered by the pid; {"end_too": pid} by 0, and that
process, a command of the cluster's user, is ended with its descendants as well.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def main(deadline_seconds: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGCHLD, reap)
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.alarm(deadline_seconds)
    roots = {os.getpid()}
    try:
        for line in sys.stdin:
            print(answer(json.loads(line), roots), flush=True)
    finally:
        end(roots)


def answer(request: dict, roots: set[int]) -> int:
    if "end_too" in request:
        roots.add(request["end_too"])
        return 0
    with open(request["log"], "ab") as log:
        daemon = subprocess.Popen(
            request["start"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    return daemon.pid


def reap(*_) -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def stop(number, _) -> None:
    raise SystemExit(f"test cluster: ended by {signal.Signals(number).name}")


def end(roots: set[int]) -> None:
    """Kill the descendants of `roots`, and those that appear meanwhile, until none is left."""
    signal.alarm(0)
    while alive := family(roots) - {os.getpid()}:
        for pid in alive:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                roots.discard(pid)
        time.sleep(0.05)


def family(roots: set[int]) -> set[int]:
    """The living processes among `roots` and all that descend from them."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # ended meanwhile
            continue
        if state != "Z":
            parents[int(entry.parent.name)] = int(parent)
    found = roots & parents.keys()
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]))
