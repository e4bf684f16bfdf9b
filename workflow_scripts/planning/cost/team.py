"""The GPUs of a job, by what the placement makes of them: ranks that share the work, and those that serve a model."""

from dataclasses import dataclass

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

    def judging(self, settings: dict) -> int:
        """GPUs on which a judge reads: those of its servers, of its one engine, or of all ranks."""
        if settings["engine"] == "served" and self.serving:
            return self.serving
        return self.ranks if settings["engine"] == "inprocess" else settings["tensor_parallel"]


def team_of(config: Config, artifact: Artifact) -> Team | None:
    """The team of an artifact's job; None where it has no GPU."""
    place = placement_of(config, artifact.stage)
    if not place.gpus:
        return None
    own, nodes = getattr(place, "serving_gpus", 0), getattr(place, "serving_nodes", 0)
    per_node, training_nodes = place.gpus - own, place.nodes - nodes
    ranked = artifact.stage in RANKED
    return Team(
        ranks=max(1, per_node * training_nodes) if ranked else 1,
        serving=own * training_nodes + place.gpus * nodes,
        gpus=place.gpus * place.nodes,
        ranks_per_node=max(1, per_node) if ranked else 1,
        memory=place.gpu_memory_gb or config.hardware.memory,
        host=place.memory_gb,
        minutes=place.minutes,
        checkpoint_every=place.checkpoint_every,
    )
