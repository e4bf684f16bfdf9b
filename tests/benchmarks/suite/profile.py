"""Where our side spends its time, by torch's profiler: `python -m tests.benchmarks.suite.profile NAME`

NAME: nano, smollm2 (one GRPO step) or distillation (one turn). Prints the ten operators with the largest own time, and
what kinds of work the time goes to, for the work of these cases. The profiler makes small operators and Python look
larger than they are.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TOP, WARM_UP = 10, 2
KINDS = {  # of operators, by what their names contain; the first that fits
    "matrix products": ("mm", "linear"),
    "attention": ("scaled_dot_product", "softmax"),
    "optimiser": ("adam", "_foreach", "Optimizer"),
}


@dataclass(frozen=True)
class Profile:
    """`operators`: (name, calls, own seconds), longest first; `seconds`: wall time of the profiled call."""

    operators: list[tuple[str, int, float]]
    seconds: float

    def kinds(self) -> dict[str, float]:
        """Shares of the call's time by kind of work."""
        found = dict.fromkeys([*KINDS, "other operators"], 0.0)
        for name, _, seconds in self.operators:
            found[kind_of(name)] += seconds / self.seconds
        return {**found, "Python": max(0.0, 1.0 - sum(found.values()))}

    def line(self) -> str:
        """One line, as a row's `limit` states it."""
        shares = sorted(self.kinds().items(), key=lambda item: -item[1])
        return "profile: " + ", ".join(f"{kind} {share:.0%}" for kind, share in shares)


def kind_of(operator: str) -> str:
    return next((kind for kind, parts in KINDS.items() if any(part in operator for part in parts)), "other operators")


def profiled(call: Callable[[], Any]) -> Profile:
    """One profiled call, on the CPU, in this thread."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as found:
        start = time.perf_counter()
        call()
        seconds = time.perf_counter() - start
    events = [(event.key, event.count, event.self_cpu_time_total / 1e6) for event in found.key_averages()]
    return Profile(sorted(events, key=lambda event: -event[2]), seconds)


def main(name: str) -> None:
    call = sides()[name]()
    for _ in range(WARM_UP):
        call()
    found = profiled(call)
    print(f"{name}: {found.seconds:.3f} s")
    for operator, calls, seconds in found.operators[:TOP]:
        print(f"  {operator[:60]:60}{calls:8} calls{1000 * seconds:10.1f} ms{seconds / found.seconds:8.1%}")
    print(f"  {found.line()}")


def sides() -> dict[str, Callable[[], Any]]:
    from tests.benchmarks.suite import grpo_sides
    from tests.benchmarks.suite.cases import distillation_step, grpo_step

    return {
        "nano": lambda: grpo_sides.Ours(grpo_step.nano_work()),
        "smollm2": lambda: grpo_sides.Ours(grpo_step.smollm2_work()),
        "distillation": lambda: distillation_step.Ours(distillation_step.nano_case()),
    }


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in sides():
        sys.exit(__doc__)
    main(sys.argv[1])
