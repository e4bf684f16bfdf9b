"""Studies are computed in the order in which the config names them, so that a run may be stopped early."""

from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.graph import Graph


def priorities(graph: Graph) -> dict[tuple[str, str], int]:
    """(stage, identity) -> priority of the artifact: that of the first study which needs it, greatest for the first."""
    order = {study: len(graph.config.studies) - position for position, study in enumerate(graph.config.studies)}
    found: dict[tuple[str, str], int] = {}
    for arm in sorted(graph.arms, key=lambda arm: -order[arm.studies[0]]):
        for artifact in graph.of_arm(arm):
            _raise(artifact, order[arm.studies[0]], found)
    for study in graph.config.studies:
        for artifact in graph.of_study(study):
            _raise(artifact, order[study], found)
    return found


def _raise(artifact: Artifact, priority: int, found: dict[tuple[str, str], int]) -> None:
    """Give an artifact and all that it is made from at least this priority."""
    place = artifact.stage, artifact.identity
    if found.get(place, 0) < priority:
        found[place] = priority
        for upstream in artifact.inputs.values():
            _raise(upstream, priority, found)
