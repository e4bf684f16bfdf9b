"""Run a stage in this process and send it a signal at a named point: SIGKILL, as a crash of the machine would end it,
or SIGTERM, as SLURM asks it to end.

    python tests/e2e/killer.py SIGKILL POINT COUNT workflow_scripts.stages.train_policy --spec ...

The signal strikes when the process comes to the point for the COUNT-th time:

rollout      the responses of a step are drawn, nothing was done with them yet
update       before an optimiser update: with an even COUNT and two updates per step, between the two
checkpoint   half of a checkpoint's first file is written; COUNT checkpoints, this one included
renamed      a checkpoint has its final name, the older one stands beside it
publish      a file of the finished artifact gets its place among the results
part         a finished part of an artifact, a benchmark's answers for instance, gets its place
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(name: str, point: str, count: int, stage: str, argv: list[str]) -> int:
    POINTS[point](Countdown(count, signal.Signals[name]))
    return importlib.import_module(stage).main(argv)


class Countdown:
    """Sends this process a signal at the `count`-th call."""

    def __init__(self, count: int, number: int) -> None:
        self.left, self.number = count, number

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)


def in_a_rollout(countdown: Countdown) -> None:
    _patch("workflow_scripts.rl.collector", "sample", after=lambda *_: countdown())


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


def in_a_publication(countdown: Countdown) -> None:
    _patch("workflow_scripts.artifacts.workdir", "link", before=lambda *_: countdown())


def in_a_part(countdown: Countdown) -> None:
    _patch("workflow_scripts.artifacts.parts", "_rename", before=lambda *_: countdown())


POINTS = {
    "rollout": in_a_rollout,
    "update": in_an_update,
    "checkpoint": in_a_checkpoint,
    "renamed": after_a_rename,
    "publish": in_a_publication,
    "part": in_a_part,
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
    raise SystemExit(main(*sys.argv[1:3], int(sys.argv[3]), sys.argv[4], sys.argv[5:]))
