"""What servers leave in their logs: for errors that quote it, and for ranks on other nodes that must know of an end."""

import os
from pathlib import Path

ENDED = "serving: the model server has ended"
TAIL_BYTES = 65536  # more than srun says after an end


def begin(log: Path) -> None:
    """An empty log; that of an attempt before, which may have failed, is kept beside it as NAME.before."""
    if log.exists():
        log.replace(log.with_name(f"{log.name}.before"))
    log.touch()


def last_error(log: Path) -> str:
    """The last line of a log that speaks of an error, else its last line."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it printed nothing"])[-1][:300]


def note_end(log: Path, reason: str) -> None:
    """Say in a log that its server has ended. Opened and closed, so that a shared file system shows it to all nodes."""
    with log.open("a") as output:
        output.write(f"\n{ENDED}: {reason}\n")


def has_ended(log: Path) -> bool:
    """Whether `note_end` was called."""
    try:
        with log.open("rb") as text:
            text.seek(max(0, os.fstat(text.fileno()).st_size - TAIL_BYTES))
            return ENDED.encode() in text.read()
    except OSError:
        return False
