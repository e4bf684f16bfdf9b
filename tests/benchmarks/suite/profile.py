"""Where our GRPO step spends its time, operator by operator: `python -m tests.benchmarks.suite.profile nano|smollm2`

Prints the ten operators of torch with the largest own time and their share of the profiled step. What is no operator
is Python: the profiler itself makes it look larger than it is. The work is that of the case `grpo_step`.
"""

import sys

from tests.benchmarks.suite.cases.grpo_step import nano_work, smollm2_work
from tests.benchmarks.suite.grpo_sides import GENERATION, UPDATE, Ours

WORKS = {"nano": nano_work, "smollm2": smollm2_work}
TOP = 10


def main(name: str) -> None:
    from torch.profiler import ProfilerActivity, profile

    ours = Ours(WORKS[name]())
    for _ in range(3):
        ours()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        seconds = ours()
    phases = ours.phases[-1]
    print(f"{name}: {seconds:.3f} s; generation {phases[GENERATION]:.3f} s, update {phases[UPDATE]:.3f} s")
    events = sorted(found.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    for event in events[:TOP]:
        share = event.self_cpu_time_total / 1e6 / seconds
        print(f"  {event.key:48}{event.count:7} calls{event.self_cpu_time_total / 1000:10.1f} ms{share:8.1%}")
    print(
        f"  {'no operator (Python)':48}{'':13}{1000 * seconds - total / 1000:10.1f} ms{1 - total / 1e6 / seconds:8.1%}"
    )


if __name__ == "__main__":
    if sys.argv[1:2] not in [[name] for name in WORKS]:
        sys.exit(__doc__)
    main(sys.argv[1])
