"""Checks for the verifier pool's tests, at the top of a module so that a worker finds them."""

import os
import time

from workflow_scripts.rewards.verdict import Verdict

HUGE = 10**8


def check(command: str, detail: str = "") -> str:
    """What the first string of a task says: answer, hang, spin, hog, die, raise, or tell about the worker."""
    if command == "sleep":
        time.sleep(float(detail))
        return Verdict.EQUAL
    if command == "hang":  # in C, where no Python signal handler runs
        return str(3 ** (3**HUGE))
    if command == "hog":
        return str(len(bytearray(8 << 30)))
    if command == "die":
        os._exit(1)
    if command == "raise":
        raise KeyError(command)
    if command == "nonsense":
        return "maybe"
    if command == "remember":  # different in the worker that was asked before, equal in a fresh one
        asked.append(detail)
        return Verdict.EQUAL if len(asked) == 1 else Verdict.DIFFERENT
    if command == "cuda":
        import sys

        return Verdict.ERROR if "torch" in sys.modules else Verdict.EQUAL
    return Verdict(command)


asked: list[str] = []
