"""The GPUs of a job, by what the placement makes of them: ranks that share the work, and those that serve a model."""

from dataclasses import dataclass
from typing import Any

from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.models import Config
from workflow_scripts.config.placement import placement_of
from workflow_scripts.config.references import RANKED


@dataclass(frozen=True)
class Team:
    """One job's GPUs and memory: `ranks` GPUs with a process each, `serving` that a model server has, `gpus` in all."""

    ranks: int
    serving: int
    gpus: int
    ranks_per_node: int
    memory: float  # GB of a GPU
    host: float  # GB of a node
    minutes: int
    checkpoint_every: int
    start: float  # seconds until the processes work

    def judging(self, settings: dict) -> int:
        """GPUs on which a judge reads: those of its servers, of its one engine, or of all ranks."""
        if settings["engine"] == "served":
            return self.serving or self.gpus
        return self.ranks if settings["engine"] == "inprocess" else settings["tensor_parallel"]


def team_of(config: Config, artifact: Artifact) -> Team | None:
    """The team of an artifact's job; None where it has no GPU. A job that asks no server has none set aside for one."""
    place = placement_of(config, artifact.stage)
    if not place.gpus:
        return None
    own, nodes = getattr(place, "serving_gpus", 0), getattr(place, "serving_nodes", 0)
    ranked, per_node, training_nodes = artifact.stage in RANKED, place.gpus - own, place.nodes - nodes
    serving = own * training_nodes + place.gpus * nodes if _asks_server(artifact.config) else 0
    return Team(
        ranks=max(1, per_node * training_nodes) if ranked else 1,
        serving=serving,
        gpus=per_node * training_nodes + serving or place.gpus,
        ranks_per_node=max(1, per_node) if ranked else 1,
        memory=place.gpu_memory_gb or config.hardware.memory,
        host=place.memory_gb,
        minutes=place.minutes,
        checkpoint_every=place.checkpoint_every,
        start=60 * config.hardware.start_minutes,
    )


def _asks_server(settings: Any) -> bool:
    """Whether a slice of the config, or a part of it, names the engine `served`."""
    if isinstance(settings, dict):
        return settings.get("engine") == "served" or any(map(_asks_server, settings.values()))
    return isinstance(settings, list | tuple) and any(map(_asks_server, settings))
