"""What a rule says of an answer, and how many verdicts may be missing before a run is stopped."""

from enum import StrEnum

import numpy as np

from workflow_scripts.artifacts.errors import StageError

WARN_AT, STOP_AT = 0.01, 0.05  # shares of a batch on which the checker timed out or failed


class Verdict(StrEnum):
    """What a rule says; only EQUAL earns a reward. TIMEOUT and ERROR are the checker's failures, not the answer's."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNPARSABLE = "unparsable"
    TIMEOUT = "timeout"
    ERROR = "error"

    @property
    def failed(self) -> bool:
        """Whether the checker gave no verdict on the answer."""
        return self in (Verdict.TIMEOUT, Verdict.ERROR)


def failure_warning(failed: np.ndarray, where: str) -> str | None:
    """A line for the log if a rule failed on WARN_AT of `failed` (B,) bool or more, else None.

    Raises StageError at STOP_AT: so many rewards of 0 would be unearned. One failure alone never stops a small batch.
    """
    count, share = int(failed.sum()), float(failed.mean()) if failed.size else 0.0
    if share < WARN_AT:
        return None
    line = f"{where}: the rule timed out or failed on {count} of {failed.size} answers ({share:.1%})"
    if share >= STOP_AT and count > 1:
        raise StageError(f"{line}; the limit is {STOP_AT:.0%}")
    return line
