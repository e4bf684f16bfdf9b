"""Guards the start of a real run, so that no job runs twice and nothing hangs without a word.

Snakemake's lock outlives a controller that was killed, and so do its SLURM jobs: the next controller would not start,
or, told to ignore the lock, submit them again. So each controller leaves a record of its process below `.snakemake/`;
a lock whose controllers are all dead is removed, and live jobs of this directory are waited for or reported.
"""

import atexit
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

from workflow_scripts.artifacts import slurm
from workflow_scripts.artifacts.lock import is_gone, this_process

RECORDS = Path(".snakemake/controllers")
LOCKS = Path(".snakemake/locks")
STARTING_SECONDS = 600  # a record without a lock is of a controller that starts, or, later, was unlocked away
POLL_SECONDS, SAY_SECONDS = 10, 300


def guard(workflow) -> None:
    """Have `workflow` look around before it executes anything; exits with one line where it must not start.

    Hooked onto the call in which Snakemake learns its executor and settings: that is after the Snakefile was read and
    before the lock is looked at. Reports, summaries and --unlock do not make it.
    """
    from snakemake_interface_executor_plugins.settings import ExecMode

    if workflow.exec_mode == ExecMode.DEFAULT:  # not the snakemake inside a job
        workflow.execute = partial(_look_and_execute, workflow, workflow.execute)


def _look_and_execute(workflow, execute: Callable, *, executor_plugin, executor_settings, **settings):
    common = executor_plugin.common_settings
    if not (common.dryrun_exec or common.touch_exec):
        if workflow.execution_settings.lock:
            _take_directory()
        if executor_plugin.name == "slurm":
            _check_slurm(executor_settings, workflow.resource_settings.nodes)
            _wait_for_jobs(adopt=os.environ.get("ADOPT") == "1")
    return execute(executor_plugin=executor_plugin, executor_settings=executor_settings, **settings)


# --------------------------------------------------------------------------------------------- one controller
def _take_directory() -> None:
    """Record this controller, and remove the lock of those that are dead."""
    me = {**this_process(), "since": time.time()}
    mine = (RECORDS / f"{me['host']}-{me['pid']}.json").absolute()
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.with_suffix(".tmp").write_text(json.dumps(me))
    mine.with_suffix(".tmp").rename(mine)  # before looking at others: of two that start now, one sees the other
    atexit.register(mine.unlink, missing_ok=True)
    others = {record: owner for record in mine.parent.glob("*.json") if record != mine and (owner := _owner(record))}
    dead = {record: owner for record, owner in others.items() if is_gone(owner)}
    if locks := list(LOCKS.glob("*.lock")):
        if living := [owner for record, owner in others.items() if record not in dead]:
            unlock = f"; if {living[0]['host']} is lost: snakemake --unlock"
            _refuse(f"{_named(living[0])} works in this directory: wait for it, or end it{unlock}")
        if dead:
            _say(f"{_named(next(iter(dead.values())))} is dead: removing its lock")
            for lock in locks:
                lock.unlink(missing_ok=True)
    for record, owner in others.items():
        if record in dead or (not locks and time.time() - owner["since"] > STARTING_SECONDS):
            record.unlink(missing_ok=True)


def _owner(record: Path) -> dict | None:
    """Who left a record; None when it has just ended."""
    try:
        return json.loads(record.read_text())
    except FileNotFoundError:
        return None


def _named(owner: dict) -> str:
    return f"process {owner['pid']} on {owner['host']}"


# ---------------------------------------------------------------------------------------------------- SLURM
def _check_slurm(settings, jobs: int) -> None:
    """Settings with which the executor would wait forever for jobs that have ended, or that it never submitted."""
    from snakemake_executor_plugin_slurm.job_status_query import get_min_job_age

    if settings.array_jobs and jobs != sys.maxsize:
        _refuse("slurm-array-jobs needs `jobs: unlimited`: the executor loses the jobs of an array that a limit cuts")
    age = get_min_job_age()
    remembered = age is not None and age >= 3 * settings.init_seconds_before_status_checks  # the executor's own rule
    if shutil.which("sacct") and not (settings.status_command == "squeue" and remembered):
        try:
            slurm.ask("sacct", "--allocations", "--noheader", "--format=JobIDRaw")
        except slurm.SlurmError as error:
            hint = "" if remembered else f", and have SLURM's MinJobAge raised: it is {age} s"
            _refuse(f"sacct: {error}: set `slurm-status-command: squeue` in the profile{hint}")


def _wait_for_jobs(adopt: bool) -> None:
    """Live jobs that an earlier controller submitted from this directory: refuse to start, or wait for their end."""
    said = -SAY_SECONDS
    while jobs := _live_jobs():
        names = ", ".join(f"{job.id} {job.comment.removeprefix('rule_').replace('_wildcards_', ' ')}" for job in jobs)
        if not adopt:
            ids = " ".join(job.id for job in jobs)
            _refuse(f"jobs of this directory are in the queue: {names}: wait for them with ADOPT=1, or: scancel {ids}")
        if time.monotonic() - said >= SAY_SECONDS:
            _say(f"waiting for jobs of this directory: {names}")
            said = time.monotonic()
        time.sleep(POLL_SECONDS)


def _live_jobs() -> list[slurm.Job]:
    """This user's jobs that Snakemake submitted from this directory and that have not ended."""
    try:
        jobs = slurm.query(f"--user={os.getuid()}")
    except slurm.SlurmError as error:
        _refuse(f"squeue: {error}")
    here = Path.cwd().resolve()
    return [j for j in jobs if j.live and j.comment.startswith("rule_") and Path(j.folder).resolve() == here]


def _say(line: str) -> None:
    print(f"snakemake: {line}", file=sys.stderr, flush=True)


def _refuse(line: str) -> NoReturn:
    sys.exit(f"snakemake: {line}")
