"""Processes found by what their environment says."""

import time
from collections.abc import Callable
from pathlib import Path


def having(**variables: str) -> dict[int, dict[str, str]]:
    """Environment by pid of the processes that were started with these variables."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            pairs = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # ended meanwhile
            continue
        environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if variables.items() <= environment.items():
            found[int(entry.parent.name)] = environment
    return found


def runs(pid: int, module: str) -> bool:
    """Whether a process was started as `python -m module`; its children are not, as numactl, which DeepSpeed starts at
    every update, and have its environment.
    """
    try:
        return f"\0-m\0{module}\0" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:  # ended meanwhile
        return False


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> object:
    """The first true value of `condition`; AssertionError naming `what` after this many seconds."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return value
