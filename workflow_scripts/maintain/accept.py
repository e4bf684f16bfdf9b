"""`make accept STAGE=...`: the present code of a stage is equal to the code its artifacts were made with."""

import argparse
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.keys import identity_of, name_of
from workflow_scripts.artifacts.provenance import read_provenance
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.stages import STAGES
from workflow_scripts.maintain.published import published_manifests


def accept(graph: Graph, results: Path, args: argparse.Namespace) -> int:
    """For each missing artifact of the stage, accept the code of a present one of equal name and config."""
    if args.stage not in STAGES:
        raise StageError(f"STAGE={args.stage!r} is not one of {', '.join(STAGES)}")
    pairs = {}
    for artifact in graph.of_stage(args.stage).values():
        if (results / artifact.manifest).is_file():
            continue
        for manifest in published_manifests(results, args.stage):
            spec = read_provenance(manifest.parent)["spec"]
            if spec["config"] == artifact.config and name_of(identity_of(manifest)) == artifact.name:
                pairs[artifact.here] = spec["code"]
    for new, old in pairs.items():
        graph.accepted.accept(args.stage, new, old)
        print(f"{args.stage}: code {new[:10]} accepted as equal to {old[:10]}")
    if not pairs:
        print(f"{args.stage}: no present artifact differs in code alone; nothing to accept")
    return 0
