"""CPU seconds beside wall time: on one thread both are the same, unless others use the machine."""

import time
from collections.abc import Callable
from statistics import median


class Clocked:
    """A side of a comparison that notes the CPU seconds of this process at each call."""

    def __init__(self, side: Callable[[], None]) -> None:
        self.side, self.seconds = side, []

    def __call__(self) -> None:
        start = time.process_time()
        self.side()
        self.seconds.append(time.process_time() - start)


def ratio(ours: list[float], other: list[float], repetitions: int) -> str:
    """Words for a row's note: medians of the last `repetitions` calls, warm-up left out."""
    return f"in CPU seconds {median(other[-repetitions:]) / median(ours[-repetitions:]):.2f} x"
