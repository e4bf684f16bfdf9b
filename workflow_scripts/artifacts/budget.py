"""The time budget of a stage's attempts, and the retry that would get no further.

A job is killed at its walltime and tried again, and goes on from its checkpoint. Where two attempts in a row use up
their budget and leave the same checkpoints, a third would do so too: it fails at once, until it is given more minutes.
`overrun.json` in the work directory holds what is known; it goes when the stage has finished, and a change of config or
code has another work directory. An attempt that ends earlier, killed or failed, says nothing about the budget.
"""

import contextlib
import threading
import time

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.manifest import read_json, write_json
from workflow_scripts.artifacts.workdir import WorkDir

STARTING = 30.0, 0.1  # seconds, but at most this share of the budget: the walltime runs while the job starts


class Budget:
    """`minutes` of walltime for one attempt in a work directory that is held; 0 means no limit."""

    def __init__(self, minutes: float):
        self.minutes, seconds = minutes, 60 * minutes
        self.deadline = time.monotonic() + seconds - min(STARTING[0], STARTING[1] * seconds) if minutes else None

    def watch(self, work: WorkDir, stage: str) -> None:
        """Raise StageError where the last two attempts got no further in as much time; else note if this one does."""
        if self.deadline is None:
            return
        before = _overrun(work)
        if before["attempts"] > 1 and before["kept"] == work.kept() and self.minutes <= before["minutes"]:
            raise StageError(
                f"{work.path}: {before['attempts']} attempts used up {before['minutes']:g} minutes and got no further "
                f"than {before['kept'] or 'no checkpoint'}: raise placement.{stage}.minutes, or the profile's runtime"
            )
        timer = threading.Timer(self.deadline - time.monotonic(), self._note, [work])
        timer.daemon = True
        timer.start()

    @staticmethod
    def forget(work: WorkDir) -> None:
        """The stage has finished."""
        work.overrun.unlink(missing_ok=True)

    def _note(self, work: WorkDir) -> None:
        with contextlib.suppress(OSError):  # a full disk, or the stage has just finished
            before, kept = _overrun(work), work.kept()
            attempts = before["attempts"] + 1 if before["kept"] == kept else 1
            print(f"time budget of {self.minutes:g} minutes used up, {kept or 'no checkpoint'} so far", flush=True)
            write_json(work.overrun, {"attempts": attempts, "kept": kept, "minutes": self.minutes})


def _overrun(work: WorkDir) -> dict:
    try:
        return read_json(work.overrun)
    except StageError:  # no attempt has used up its budget, or its note is damaged
        return {"attempts": 0, "kept": "", "minutes": 0}
