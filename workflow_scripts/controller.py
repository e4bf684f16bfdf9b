"""Guards the start of a real run, so that no job runs twice and nothing hangs without a word.

Snakemake's lock outlives a controller that was killed, and so do its SLURM jobs: the next controller would not start,
or, told to ignore the lock, submit them again. So each controller leaves a record of its process below `.snakemake/`;
a lock whose controllers are all dead is removed, and live jobs of this directory are waited for or reported.
"""

import atexit
import base64
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

from workflow_scripts.artifacts import slurm
from workflow_scripts.artifacts.lock import is_gone, this_process

LOST_SECONDS = 7 * 24 * 3600  # a record of another host, which no lock stands beside
RECORDS = Path(".snakemake/controllers")
LOCKS = Path(".snakemake/locks")
INCOMPLETE = Path(".snakemake/incomplete")
POLL_SECONDS, SAY_SECONDS = 10, 300


def guard(workflow, jobs_differ: Callable[[str], bool]) -> None:
    """Have `workflow` look around before it executes anything; exits with one line where it must not start.

    `jobs_differ`: whether the jobs of a rule ask for different resources, so that they can be no array.
    Hooked onto the call in which Snakemake learns its executor and settings: that is after the Snakefile was read and
    before the lock is looked at. Reports, summaries and --unlock do not make it.
    """
    from snakemake_interface_executor_plugins.settings import ExecMode

    if workflow.exec_mode == ExecMode.DEFAULT:  # not the snakemake inside a job
        workflow.execute = partial(_look_and_execute, workflow, workflow.execute, jobs_differ)


def _look_and_execute(
    workflow, execute: Callable, jobs_differ: Callable, *, executor_plugin, executor_settings, **settings
):
    common = executor_plugin.common_settings
    if not (common.dryrun_exec or common.touch_exec):
        if workflow.execution_settings.lock:
            _take_directory()
        if executor_plugin.name == "slurm":
            _check_slurm(executor_settings, workflow.resource_settings.nodes)
            part_arrays(executor_settings, jobs_differ)
            submit_by_priority(executor_plugin.executor)
            _wait_for_jobs(adopt=os.environ.get("ADOPT") == "1")
        if workflow.execution_settings.lock:
            _forget_published()
    return execute(executor_plugin=executor_plugin, executor_settings=executor_settings, **settings)


def part_arrays(settings, jobs_differ: Callable[[str], bool]) -> None:
    """Submit one by one the jobs of rules that `slurm-array-jobs` names but whose jobs differ.

    The executor asks for an array what its first job needs: others would wait for GPUs in vain, or run without.
    """
    named = {name.strip() for name in (settings.array_jobs or "").replace(";", ",").split(",")} - {""}
    if differing := sorted(filter(jobs_differ, named)):
        _say(f"no arrays of {', '.join(differing)}: its jobs ask for different resources")
        settings.array_jobs = ",".join(sorted(named - {*differing}))


def submit_by_priority(executor: type) -> None:
    """Have jobs that get ready together submitted in the order of their priorities: longest chain first.

    Snakemake selects all of them where nothing limits it, in no order, and SLURM starts equal jobs as they came.
    """
    run_jobs = executor.run_jobs
    executor.run_jobs = lambda self, jobs: run_jobs(self, sorted(jobs, key=lambda job: -job.priority))


# --------------------------------------------------------------------------------------------- one controller
def _take_directory() -> None:
    """Record this controller, and remove the lock of those that are dead."""
    me = this_process()
    mine = (RECORDS / f"{me['host']}-{me['pid']}.json").absolute()
    try:
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.with_suffix(".tmp").write_text(json.dumps(me))
        mine.with_suffix(".tmp").rename(mine)  # before looking at others: of two that start now, one sees the other
    except OSError as error:
        _refuse(f"{mine}: {error.strerror}")
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
        lost = not locks and owner["host"] != me["host"] and _age(record) > LOST_SECONDS
        if record in dead or lost:
            record.unlink(missing_ok=True)


def _owner(record: Path) -> dict | None:
    """Who left a record; None when it has just ended, or left half a record where a disk was full."""
    try:
        return json.loads(record.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _named(owner: dict) -> str:
    return f"process {owner['pid']} on {owner['host']}"


def incomplete() -> dict[str, Path]:
    """Snakemake's markers of jobs that it started and did not see end, by the path of the output."""
    found = {}
    for marker in INCOMPLETE.rglob("*"):
        if marker.is_file():
            parts = [part.removeprefix("@") for part in marker.relative_to(INCOMPLETE).parts]
            with suppress(ValueError):  # no marker
                found[base64.urlsafe_b64decode("".join(parts)).decode()] = marker
    return found


def _forget_published() -> None:
    """Manifests are written last and atomically: one that stands is complete, whatever became of its controller."""
    for path, marker in incomplete().items():
        if Path(path).is_file():
            marker.unlink(missing_ok=True)


# ---------------------------------------------------------------------------------------------------- SLURM
def _check_slurm(settings, jobs: int) -> None:
    """Settings with which the executor would wait forever for jobs that have ended, or that it never submitted."""
    from snakemake_executor_plugin_slurm.job_status_query import get_min_job_age

    if settings.array_jobs and jobs != sys.maxsize:
        _refuse("slurm-array-jobs needs `jobs: unlimited`: the executor loses the jobs of an array that a limit cuts")
    age = get_min_job_age()
    remembered = age is not None and age >= 3 * settings.init_seconds_before_status_checks  # the executor's own rule
    if not shutil.which("sacct"):  # the executor then asks squeue
        if age is not None and not remembered:
            _refuse(f"there is no sacct, and squeue forgets a job {age} s after its end: have SLURM's MinJobAge raised")
    elif not (settings.status_command == "squeue" and remembered):
        try:
            slurm.ask("sacct", "--allocations", "--noheader", "--format=JobIDRaw")
        except slurm.SlurmError as error:
            hint = "" if remembered else f", and have SLURM's MinJobAge raised: it is {age} s"
            _refuse(f"sacct: {error}: set `slurm-status-command: squeue` in the profile{hint}")


def _wait_for_jobs(adopt: bool) -> None:
    """Live jobs that an earlier controller submitted from this directory: refuse to start, or wait for their end."""
    said = -SAY_SECONDS
    try:
        jobs = _live_jobs()
    except slurm.SlurmError as error:
        _refuse(f"squeue: {error}")
    while jobs:
        names = ", ".join(f"{job.id} {job.comment.removeprefix('rule_').replace('_wildcards_', ' ')}" for job in jobs)
        if not adopt:
            ids = " ".join(job.id for job in jobs)
            _refuse(f"jobs of this directory are in the queue: {names}: wait for them with ADOPT=1, or: scancel {ids}")
        if time.monotonic() - said >= SAY_SECONDS:
            _say(f"waiting for jobs of this directory: {names}")
            said = time.monotonic()
        time.sleep(POLL_SECONDS)
        with suppress(slurm.SlurmError):  # the cluster's own controller is away: ask again
            jobs = _live_jobs()


def _live_jobs() -> list[slurm.Job]:
    """This user's jobs that Snakemake submitted from this directory and that have not ended. Raises SlurmError."""
    return [job for job in slurm.live_jobs_here() if job.comment.startswith("rule_")]


def _say(line: str) -> None:
    print(f"snakemake: {line}", file=sys.stderr, flush=True)


def _refuse(line: str) -> NoReturn:
    sys.exit(f"snakemake: {line}")
