"""What a case measures: two sides in turn, several times; a ratio per repetition; the machine's own limit."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

NO_GPU = "no GPU here: not measured"


@dataclass(frozen=True)
class Row:
    """One measured ratio. `ours_values` and `other_values` are pairs, one per repetition; empty: not measured.

    `peak_share` is our share of what the hardware does at most, measured in the same run (for training the rate of a
    large matrix product, for decoding the roofline). `target` is the ratio to reach, `peak_target` that share.
    """

    group: str
    case: str
    ours: str
    other: str
    unit: str  # "s" or "MiB": less is better
    ours_values: list[float]
    other_values: list[float]
    device: str
    peak_share: float | None = None
    limit: str = ""  # what limits our side, one line
    note: str = ""
    target: float | None = None
    peak_target: float | None = None

    def __post_init__(self) -> None:
        if len(self.ours_values) != len(self.other_values):
            raise ValueError(f"{self.case}: {len(self.ours_values)} values of ours, {len(self.other_values)} of theirs")
        if min([*self.ours_values, *self.other_values], default=1.0) <= 0:
            raise ValueError(f"{self.case}: a measured value is not positive")

    @property
    def ratios(self) -> list[float]:
        """Other over ours, per repetition: above 1, ours is faster or smaller."""
        return [other / ours for ours, other in zip(self.ours_values, self.other_values, strict=True)]

    @property
    def median(self) -> float | None:
        return median(self.ratios) if self.ours_values else None

    @property
    def low(self) -> float | None:
        return min(self.ratios, default=None)

    @property
    def high(self) -> float | None:
        return max(self.ratios, default=None)

    @property
    def met(self) -> bool | None:
        """Whether every target is reached; None without a target, or where nothing was measured."""
        wanted = [(self.target, self.median), (self.peak_target, self.peak_share)]
        wanted = [(least, found) for least, found in wanted if least is not None]
        if not wanted or any(found is None for _, found in wanted):
            return None
        return all(found >= least for least, found in wanted)


def empty_row(
    group: str, case: str, ours: str, other: str, *, unit: str = "s", device: str = "cuda", **more: Any
) -> Row:
    """A row for what needs a GPU where none is: said so, and left empty. `more`: `target`, `peak_target`, `limit`."""
    return Row(group, case, ours, other, unit, [], [], device, note=NO_GPU, **more)


def alternate(
    ours: Callable[[], float | None], other: Callable[[], float | None], repetitions: int, warm_up: int = 1
) -> tuple[list[float], list[float]]:
    """Values of `repetitions` calls of each side, in turn in this process, after `warm_up` calls that do not count.

    A side that returns None is timed, in seconds of wall time; any other value is taken as it is.
    """
    found: tuple[list[float], list[float]] = ([], [])
    for repetition in range(-warm_up, repetitions):
        for side, values in zip((ours, other), found, strict=True):
            gc.collect()  # neither side pays for what the other one left behind
            start = time.perf_counter()
            value = side()
            seconds = time.perf_counter() - start
            if repetition >= 0:
                values.append(seconds if value is None else value)
    return found


def gemm_peak(device: str = "cpu", dtype: Any = None) -> float:
    """FLOP/s of a large square matrix product, measured now: the best of several tries of about 0.1 s.

    On a CPU with as many threads as the case uses (one), in CPU seconds, so that a busy machine does not lower it, and
    by the faster of torch's two libraries: its BLAS and oneDNN, which differ twofold on some processors. `dtype`: of
    torch, fp32 if None.
    """
    import torch

    size = 8192 if device == "cuda" else 1024
    left, right = (torch.randn(size, size, device=device).to(dtype or torch.float32) for _ in range(2))
    products = [lambda: left @ right]
    if device == "cpu" and torch.backends.mkldnn.is_available() and left.dtype == torch.float32:
        blocked = left.to_mkldnn(), right.to_mkldnn()
        products.append(lambda: torch.nn.functional.linear(*blocked))
    clock = time.perf_counter if device == "cuda" else time.process_time
    return max(_rate(product, 2 * size**3, device, clock) for product in products)


def _rate(product: Callable[[], Any], flops: int, device: str, clock: Callable[[], float]) -> float:
    """FLOP/s of the best of five tries. A try before them warms up and says how many products take 0.1 s."""
    best, count = 0.0, 1
    for number in range(6):
        synchronize(device)
        start = clock()
        for _ in range(count):
            product()
        synchronize(device)
        rate = count * flops / max(clock() - start, 1e-9)
        best = max(best, rate) if number else 0.0
        count = max(1, round(0.1 * rate / flops))
    return best


def copy_bandwidth() -> float:
    """Bytes/s that the GPU's memory moves, read and written, measured now with copies of 1 GiB."""
    import torch

    source = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    target, best = torch.empty_like(source), 0.0
    for _ in range(6):
        synchronize("cuda")
        start = time.perf_counter()
        target.copy_(source)
        synchronize("cuda")
        best = max(best, 2 * len(source) / (time.perf_counter() - start))
    return best


def synchronize(device: str) -> None:
    """Wait until a GPU has done all it was given; nothing on a CPU."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
