"""The SLURM job that this process belongs to, and what `squeue` says of jobs."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

# A job in one of these has processes. Of a pending one they are gone: it was submitted, or requeued, and waits.
WITH_PROCESSES = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING", "STAGE_OUT")
LIVE = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", *WITH_PROCESSES)
SECONDS = 60  # squeue itself gives up sooner when the controller of the cluster is away
FIELDS = ("%i", "%T", "%N", "%Z", "%k")  # the comment last: it may hold a bar


class SlurmError(Exception):
    """squeue is missing or failed; the message is its own, in one line."""


@dataclass(frozen=True)
class Job:
    """One job (`id` 12) or one task of an array (12_3), and the folder that it was submitted from."""

    id: str
    state: str
    node: str
    folder: str
    comment: str

    @property
    def live(self) -> bool:
        return self.state in LIVE


def own_id() -> str | None:
    """The job of this process, as scancel takes it: 12, or 12_3 in an array; None outside SLURM."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


def query(*options: str) -> list[Job]:
    """The jobs that squeue knows, those that ended a short while ago too. Raises SlurmError."""
    command = ["squeue", "--noheader", "--array", "--states=all", f"--format={'|'.join(FIELDS)}", *options]
    lines = ask(*command).splitlines()
    return [Job(*(field.strip() for field in line.split("|", len(FIELDS) - 1))) for line in lines]


def live_jobs_here() -> list[Job]:
    """This user's jobs that were submitted from the working directory and have not ended. Raises SlurmError."""
    here = Path.cwd().resolve()
    return [job for job in query(f"--user={os.getuid()}") if job.live and Path(job.folder).resolve() == here]


def ask(*command: str) -> str:
    """Output of a SLURM command. Raises SlurmError with the last line that it wrote."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except FileNotFoundError:
        raise SlurmError(f"there is no {command[0]} on this host") from None
    except subprocess.TimeoutExpired:
        raise SlurmError(f"{command[0]} has not answered for {SECONDS} s") from None
    if done.returncode:
        raise SlurmError((done.stderr.strip().splitlines() or [f"{command[0]}: status {done.returncode}"])[-1])
    return done.stdout
