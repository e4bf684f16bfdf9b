"""`make prune`: removes what no config refers to, after asking."""

import argparse
import os
import shutil
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.keys import KEY_DIGITS
from workflow_scripts.config.graph import Graph
from workflow_scripts.maintain.graphs import artifacts_of, sharing_graphs
from workflow_scripts.maintain.published import (
    KEYED,
    known_folders,
    part_folders,
    parts_in_use,
    published_folders,
    refuse_running,
    work_folders,
)


def prune(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """Ask, then remove what neither this config nor a config/*.yaml of the same results root refers to."""
    graphs, broken = sharing_graphs(args.config, graph)
    if broken:
        raise StageError(f"{broken[0]}; nothing removed, as it may refer to anything")
    refuse_running(work_folders(results))
    print(f"kept: what {', '.join(map(str, graphs))} refer to")
    known = artifacts_of(graphs, results)
    named = known_folders(results, known)
    work, parts = work_folders(results), part_folders(results)
    in_use = parts_in_use(results, (path for path in work if path in named))
    folders = [path for path in published_folders(results) + work if path not in named]
    folders += [path for path in parts if path not in in_use]
    records = _records(results, {artifact.identity for artifact in known.values()})
    if not folders + records:
        print("nothing to prune")
        return 0
    for path in folders:
        print(path)
    print(f"{len(folders)} folders, and {len(records)} logs and benchmarks: {_freed(folders + records) / 1e6:.1f} MB")
    if not args.yes and not _agreed():
        print("nothing removed")
        return 1
    for path in folders:
        shutil.rmtree(path)
    for path in records:
        path.unlink()
    for pointer in (results / "work" / "same").glob("*"):
        if not (results / "work" / pointer.read_text().strip()).is_dir():
            pointer.unlink()
    return 0


def _records(results: Path, identities: set[str]) -> list[Path]:
    """Logs and benchmarks of artifacts that are not known."""
    found = [path for kind in ("logs", "benchmarks") for path in sorted((results / kind).glob(f"*/{KEYED}.*"))]
    return [path for path in found if path.name[: path.name.index("-") + 1 + KEY_DIGITS] not in identities]


def _freed(paths: list[Path]) -> int:
    """Bytes that go with these paths: those of files that have no further link elsewhere."""
    files = [f for path in paths for f in (path.rglob("*") if path.is_dir() else [path]) if f.is_file()]
    links: dict[tuple, list[os.stat_result]] = {}
    for state in (file.lstat() for file in files):
        links.setdefault((state.st_dev, state.st_ino), []).append(state)
    return sum(found[0].st_size for found in links.values() if len(found) == found[0].st_nlink)


def _agreed() -> bool:
    try:
        return input("Remove them? [y/N] ").strip().lower() == "y"
    except EOFError:
        return False
