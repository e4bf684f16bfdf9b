"""`make verify`: what is damaged, missing, made from something else, unlisted or orphaned, and what to do about it."""

import argparse
import time
from collections import Counter
from pathlib import Path

from workflow_scripts.config.graph import Graph
from workflow_scripts.maintain.findings import KINDS, Inspection
from workflow_scripts.maintain.graphs import artifacts_of, sharing_graphs


def verify(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """A line for each finding. Exit status 1 unless all artifacts are whole and made from the inputs that stand."""
    began = time.monotonic()
    graphs, broken = sharing_graphs(args.config, graph)
    for line in broken:
        print(f"{line}; what it alone refers to counts as orphaned")
    inspection = Inspection(results, artifacts_of(graphs, results))
    for finding in inspection.findings:
        print(finding)
    kinds = Counter(finding.kind for finding in inspection.findings)
    counts = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind]) or (
        "all intact" if inspection.manifests else "nothing is there"
    )
    size = inspection.checksum.bytes_read / 1e6
    print(f"{len(inspection.manifests)} artifacts: {counts}; {size:.1f} MB in {time.monotonic() - began:.1f} s")
    return 1 if kinds.keys() - {"unlisted", "orphaned"} else 0
