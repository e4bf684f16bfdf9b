"""What stands below a results root, and what a config refers to."""

from pathlib import Path

from workflow_scripts.artifacts.provenance import read_provenance
from workflow_scripts.config.graph import FOLDERS, STABLE, Graph
from workflow_scripts.config.references import STAGES


def known_manifests(graph: Graph, results: Path) -> set[Path]:
    return {results / artifact.manifest for artifact in graph.artifacts}


def published_manifests(results: Path, stage: str | None = None) -> list[Path]:
    """All published manifests below a results root, or those of a stage."""
    stages = [stage] if stage else STAGES
    found = set()
    for name in stages:
        pattern = "manifest-*.json" if name in STABLE else "*/manifest.json"
        found |= set((results / FOLDERS[name] / STABLE.get(name, "")).glob(pattern))
    return sorted(m for m in found if stage is None or read_provenance(m.parent)["stage"] == stage)
