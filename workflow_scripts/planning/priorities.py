"""The order of jobs: studies as the config names them, so that a run may be stopped early; in each the longest first.

Of the jobs that are ready, the one with the longest chain behind it goes first: its own seconds and those of the jobs
that wait for it, one after another, up to the report (critical-path list scheduling: Graham 1969, Hu 1961). Seconds are
those of the cost model, and of counted FLOPs where no GPU is (planning/cost/).
"""

from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.graph import Graph
from workflow_scripts.planning.cost.durations import Durations

Place = tuple[str, str]  # stage, identity


def priorities(graph: Graph) -> dict[Place, int]:
    """Rank of each artifact's job, greatest for the first; jobs that nothing tells apart have the same."""
    studies, chains = _studies(graph), chain_seconds(graph)
    order = {place: (studies.get(place, 0), round(seconds, 3)) for place, seconds in chains.items()}
    ranks = {value: rank for rank, value in enumerate(sorted(set(order.values())), start=1)}
    return {place: ranks[value] for place, value in order.items()}


def chain_seconds(graph: Graph) -> dict[Place, float]:
    """Seconds from the start of a job until the report stands, if no job ever had to wait for a core."""
    durations, found = Durations(graph), {}
    for artifact in reversed(graph.artifacts):  # what is made from others stands behind them
        behind = found.get(_place(artifact), 0.0)
        found[_place(artifact)] = chain = behind + durations.of(artifact)
        for upstream in artifact.inputs.values():
            found[_place(upstream)] = max(found.get(_place(upstream), 0.0), chain)
    return found


def _studies(graph: Graph) -> dict[Place, int]:
    """The place from the end of the first study that needs an artifact."""
    order = {study: len(graph.config.studies) - position for position, study in enumerate(graph.config.studies)}
    found: dict[Place, int] = {}
    for arm in sorted(graph.arms, key=lambda arm: -order[arm.studies[0]]):
        for artifact in graph.of_arm(arm):
            _raise(artifact, order[arm.studies[0]], found)
    for study in graph.config.studies:
        for artifact in graph.of_study(study):
            _raise(artifact, order[study], found)
    return found


def _raise(artifact: Artifact, study: int, found: dict[Place, int]) -> None:
    """Give an artifact and all that it is made from at least this place."""
    if found.get(_place(artifact), 0) < study:
        found[_place(artifact)] = study
        for upstream in artifact.inputs.values():
            _raise(upstream, study, found)


def _place(artifact: Artifact) -> Place:
    return artifact.stage, artifact.identity
