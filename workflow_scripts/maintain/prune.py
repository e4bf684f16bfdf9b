"""`make prune`: removes what the config no longer refers to, after asking."""

import argparse
import shutil
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.lock import is_held
from workflow_scripts.config.graph import Graph
from workflow_scripts.maintain.published import known_manifests, published_manifests


def prune(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """Ask, then remove what this config does not refer to."""
    known = known_manifests(graph, results)
    work = {results / "work" / artifact.stage / artifact.identity for artifact in graph.artifacts}
    orphans = [m.parent for m in published_manifests(results) if m not in known and m.name == "manifest.json"]
    orphans += [path for path in sorted((results / "work").glob("*/*-??????????")) if path not in work]
    if held := [path for path in orphans if is_held(path / "lock")]:
        raise StageError(f"{held[0]}: in use; wait for it, or end it")
    if not orphans:
        print("nothing to prune")
        return 0
    for path in orphans:
        print(path)
    size = sum({f.stat().st_ino: f.stat().st_size for p in orphans for f in p.rglob("*") if f.is_file()}.values())
    question = f"Remove these {len(orphans)} folders ({size / 1e6:.0f} MB)? [y/N] "
    if not args.yes and input(question).strip().lower() != "y":
        print("nothing removed")
        return 1
    for path in orphans:
        shutil.rmtree(path)
    for pointer in (results / "work" / "same").glob("*"):
        if not (results / "work" / pointer.read_text().strip()).is_dir():
            pointer.unlink()
    return 0
