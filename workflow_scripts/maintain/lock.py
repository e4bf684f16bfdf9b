"""`make lock`: results/lock.json, the checksum of the manifest of every artifact; made to be kept in git."""

import argparse
from pathlib import Path

from workflow_scripts.artifacts.keys import file_digest
from workflow_scripts.artifacts.manifest import LOCK, write_json
from workflow_scripts.config.graph import Graph


def lock(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """Collect, and say how many artifacts of the config, the report left out, are present."""
    found = write_lock(graph, results)
    print(f"{results / LOCK}: {found} of {len(graph.artifacts) - 1} artifacts")
    return 0


def write_lock(graph: Graph, results: Path) -> int:
    """A line per present artifact of the config: its path below the results root, and the sha256 of its manifest.

    A manifest holds the checksums of the artifact's files and nothing of time, host or path, so that runs of equal
    settings, code and bytes give equal lines. The report is left out: its page tells how long the jobs took.
    """
    manifests = sorted(artifact.manifest for artifact in graph.artifacts if artifact is not graph.report)
    present = {path: file_digest(results / path) for path in manifests if (results / path).is_file()}
    write_json(results / LOCK, present)
    return len(present)
