"""Kill a trainer at random moments and compare what it ends with.

    python tests/benchmarks/kill_trainer.py --moments 20 --seed 0

A micro arm is trained once undisturbed. Then, for each moment, it is killed from outside with SIGKILL after a random
share of that run's time, started again, perhaps killed again (a draw beyond its end lets it finish), and its artifact
is compared byte by byte. The seed of each moment is printed: `--moments 1 --seed SEED` repeats it, as far as a clock
can. Exit status 1 if any artifact differs.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.e2e.arm import Arm

KILLS = 5  # at most, so that each moment comes to an end


def main() -> int:
    args = parse()
    with tempfile.TemporaryDirectory() as scratch:
        arm = Arm.micro(Path(scratch) / "project", steps=args.steps, checkpoint_every=args.checkpoint_every)
        start = time.monotonic()
        arm.run(Path(scratch) / "uninterrupted")
        seconds, expected = time.monotonic() - start, arm.files(Path(scratch) / "uninterrupted")
        print(f"uninterrupted: {args.steps} steps in {seconds:.1f} s, a checkpoint every {args.checkpoint_every}")
        differing = 0
        for seed in range(args.seed, args.seed + args.moments):
            home = Path(scratch) / f"seed-{seed}"
            kills = disturbed(arm, home, random.Random(seed), seconds)
            same = arm.files(home) == expected
            differing += not same
            print(f"seed {seed}: {'; '.join(kills)}: {'identical' if same else 'DIFFERENT'}", flush=True)
    print(f"{args.moments - differing} of {args.moments} runs ended byte-identical to the uninterrupted one")
    return int(differing > 0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the first moment; the next ones count up")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--checkpoint-every", type=int, default=3)
    return parser.parse_args()


def disturbed(arm: Arm, home: Path, rng: random.Random, seconds: float) -> list[str]:
    """Train to the end through one to `KILLS` kills; says for each when it came and what it left."""
    kills: list[str] = []
    while len(kills) < KILLS:
        moment = rng.random() * seconds
        trainer = arm.start(home)
        try:
            output, _ = trainer.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            os.killpg(trainer.pid, signal.SIGKILL)
            trainer.communicate()
            kills.append(f"killed at {moment:.2f} s, {left(arm, home)}")
            continue
        assert trainer.returncode == 0, output[-3000:]
        if kills:
            return kills
        shutil.rmtree(home)  # it ended before the moment: draw another one
    arm.run(home)
    return kills


def left(arm: Arm, home: Path) -> str:
    """What the kill left behind."""
    artifact, work = arm.folders(home)
    if (artifact / "manifest.json").is_file():
        return "published"
    if (work / "done").is_dir():
        return "finished, not published"
    names = [path.name for path in work.glob("checkpoints/*")] + [path.name for path in work.glob("checkpoints/.tmp-*")]
    steps = sorted(int(found[1]) for name in names if (found := re.fullmatch(r"step-(\d+)", name)))
    half = ", one half written" if any(name.startswith(".tmp-") for name in names) else ""
    return f"{f'checkpoint of step {steps[-1]}' if steps else 'no checkpoint'}{half}"


if __name__ == "__main__":
    raise SystemExit(main())
