"""Break runs in every way that is known, go on, and compare what they end with to an undisturbed run.

    python -m tests.benchmarks.faults [--slurm] [--repetitions 3] [--seed 0] [--only NAME]

One micro arm is trained undisturbed. Then each fault strikes, `repetitions` times at moments and in kinds drawn from
the seed, the run goes on as a user or a retry would let it, and its artifact is compared byte by byte. With `--slurm`
the faults are those of a cluster: a real SLURM of two nodes is started for them (needs what envs/slurm.txt lists).
Exit status 1 if any artifact differs.
"""

import argparse
import re
import tempfile
from pathlib import Path

from tests.benchmarks.faults.bench import Bench, measure
from tests.benchmarks.faults.local import LOCAL
from tests.e2e.arm import Arm


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.faults", description=__doc__.partition("\n")[0])
    parser.add_argument("--slurm", action="store_true")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="NAME", help="faults whose names match this expression")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if args.slurm:
            from tests.benchmarks.faults.cluster import SLURM, on_a_cluster

            with on_a_cluster(Path(scratch)) as bench:
                return int(not measure(bench, chosen(SLURM, args.only), args.repetitions, args.seed))
        bench = Bench(Path(scratch), Arm.micro(Path(scratch) / "project", steps=12, checkpoint_every=3))
        return int(not measure(bench, chosen(LOCAL, args.only), args.repetitions, args.seed))


def chosen(faults: dict, name: str) -> dict:
    return {one: fault for one, fault in faults.items() if re.search(name, one)}


if __name__ == "__main__":
    raise SystemExit(main())
