"""The GPUs of a job, by what the placement makes of them: ranks that share the work, and those that serve a model."""

from dataclasses import dataclass

from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.models import Config
from workflow_scripts.config.placement import placement_of_job
from workflow_scripts.config.stages import RANKED


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
    place = placement_of_job(config, artifact)
    if not place.gpus:
        return None
    ranked = artifact.stage in RANKED
    return Team(
        ranks=place.ranks if ranked else 1,
        serving=place.serving_gpus * place.rank_nodes + place.gpus * place.serving_nodes,
        gpus=place.gpus * place.nodes,
        ranks_per_node=place.ranks // place.rank_nodes if ranked else 1,
        memory=place.gpu_memory_gb or config.hardware.memory,
        host=place.memory_gb,
        minutes=place.minutes,
        checkpoint_every=place.checkpoint_every,
        start=60 * config.hardware.start_minutes,
    )
