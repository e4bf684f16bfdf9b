"""`make verify`: checksums of every artifact; what is damaged, and what no config refers to."""

import argparse
from pathlib import Path

from workflow_scripts.artifacts.manifest import damage, read_json
from workflow_scripts.config.graph import Graph
from workflow_scripts.maintain.published import known_manifests, published_manifests


def verify(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """Exit status 1 when an artifact is damaged."""
    known, damaged, orphaned, intact = known_manifests(graph, results), 0, 0, 0
    for manifest in published_manifests(results):
        wrong = damage(manifest.parent, read_json(manifest))
        damaged, intact = damaged + bool(wrong), intact + (not wrong)
        for name in wrong:
            print(f"damaged: {manifest.parent / name}")
        if manifest not in known:
            orphaned += 1
            print(f"orphaned: {manifest.parent} (this config does not refer to it)")
    print(f"{intact} artifacts intact, {damaged} damaged, {orphaned} orphaned")
    return 1 if damaged else 0
