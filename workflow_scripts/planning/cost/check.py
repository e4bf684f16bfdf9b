"""Refuses a config whose jobs cannot fit their GPUs, before anything is submitted."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workflow_scripts.config.graph import Graph
    from workflow_scripts.planning.cost.estimate import Estimate
    from workflow_scripts.planning.cost.memory import Need

SHOWN = 4  # parts and hints


def check_memory(graph: "Graph") -> None:
    """Raises ValueError, one line, for the first job that needs more memory than its placement has.

    Looks only at stages with GPUs: on a CPU no estimate is valid. What is not known refuses nothing.
    """
    if not any(place.gpus for place in graph.config.placement.values()):
        return  # nothing is imported for them either
    from workflow_scripts.planning.cost.model import CostModel

    model = CostModel(graph)
    for artifact in graph.artifacts:
        estimate = model.of(artifact)
        for line in refusals(artifact.stage, estimate) if estimate else ():
            raise ValueError(f"config: {line}")


def refusals(stage: str, estimate: "Estimate") -> Iterator[str]:
    """Why a job cannot run where it is placed: what it needs, what there is, which settings help."""
    for need in estimate.needs:
        if need.total > estimate.limit(need):
            whose = "of each GPU" if need.limit is None else "of vLLM's share of a GPU"
            yield (
                f"placement.{stage}: {need.model} needs about {need.total:.0f} GB {whose} for {need.moment} "
                f"({parts(need)}), there are {estimate.limit(need):.0f}; what helps: {', '.join(need.hints[:SHOWN])}"
            )
        if need.host > estimate.team.host:
            yield (
                f"placement.{stage}.memory_gb: {estimate.team.host:g}: {need.model} offloads about {need.host:.0f} GB "
                "to the memory of a node; raise memory_gb"
            )


def parts(need: "Need") -> str:
    """The largest parts, largest first."""
    largest = sorted(need.parts.items(), key=lambda part: -part[1])[:SHOWN]
    return ", ".join(f"{name} {size:.0f}" for name, size in largest)
