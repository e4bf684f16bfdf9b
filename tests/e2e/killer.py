"""Run a stage in this process and end it with SIGKILL at a named point, as a crash of the machine would.

    python tests/e2e/killer.py POINT COUNT workflow_scripts.stages.train_policy --spec ...

The process is killed when it comes to the point for the COUNT-th time:

rollout      the responses of a step are drawn, nothing was done with them yet
update       before an optimiser update: with an even COUNT and two updates per step, between the two
checkpoint   half of a checkpoint's first file is written; COUNT checkpoints, this one included
renamed      a checkpoint has its final name, the older one stands beside it
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(point: str, count: int, stage: str, argv: list[str]) -> int:
    POINTS[point](Countdown(count))
    return importlib.import_module(stage).main(argv)


class Countdown:
    """Kills this process at the `count`-th call."""

    def __init__(self, count: int) -> None:
        self.left = count

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def in_a_rollout(countdown: Countdown) -> None:
    _patch("workflow_scripts.rl.trainer", "sample", after=lambda *_: countdown())


def in_an_update(countdown: Countdown) -> None:
    _patch("workflow_scripts.rl.update", "Updater._update", before=lambda *_: countdown())


def in_a_checkpoint(countdown: Countdown) -> None:
    folders = set()

    def cut(tensors: Any, path: Path, *_: Any) -> None:
        if Path(path).parent not in folders:
            folders.add(Path(path).parent)
            whole = Path(path).read_bytes()
            Path(path).write_bytes(whole[: len(whole) // 2])
            countdown()
            Path(path).write_bytes(whole)

    _patch("workflow_scripts.rl.checkpoint", "save_file", after=cut)


def after_a_rename(countdown: Countdown) -> None:
    def is_checkpoint(_: Path, target: Path) -> None:
        if Path(target).name.startswith("step-"):
            countdown()

    _patch("pathlib", "Path.rename", after=is_checkpoint)


POINTS = {
    "rollout": in_a_rollout,
    "update": in_an_update,
    "checkpoint": in_a_checkpoint,
    "renamed": after_a_rename,
}


def _patch(module: str, name: str, before: Callable = lambda *_: None, after: Callable = lambda *_: None) -> None:
    """Call `before` and `after` around the function `name` of `module`, with its positional arguments."""
    *parents, last = name.split(".")
    owner = importlib.import_module(module)
    for parent in parents:
        owner = getattr(owner, parent)
    original = getattr(owner, last)

    def wrapped(*args: Any, **options: Any) -> Any:
        before(*args)
        result = original(*args, **options)
        after(*args)
        return result

    setattr(owner, last, wrapped)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]))
