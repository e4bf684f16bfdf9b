"""`make watch`: what is running now, with step, total and figures."""

import argparse
import time
from pathlib import Path

from workflow_scripts.artifacts.lock import is_held
from workflow_scripts.artifacts.manifest import read_json
from workflow_scripts.config.graph import Graph


def watch(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """Every few seconds, one line per running stage, until none runs."""
    while running := [lock for lock in sorted((results / "work").glob("*/*/lock")) if is_held(lock)]:
        for lock in running:
            progress = lock.parent / "progress.json"
            state = read_json(progress) if progress.is_file() else {}
            figures = " ".join(f"{name} {value:.4g}" for name, value in state.items() if name not in ("step", "total"))
            steps = f"{state['step']}/{state['total']}" if state else "starting"
            print(f"{lock.parent.parent.name:16} {lock.parent.name:60} {steps:>9} {figures}")
        print()
        time.sleep(args.every)
    print("nothing is running")
    return 0
