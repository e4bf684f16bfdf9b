"""What one GPU job takes: seconds by phase, and the memory of a GPU at its fullest."""

from dataclasses import dataclass

from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.hardware import Hardware
from workflow_scripts.config.models import Config
from workflow_scripts.planning.cost.memory import GB, Need
from workflow_scripts.planning.cost.networks import BYTES, TRAINED, Network, facts, network_of
from workflow_scripts.planning.cost.roofline import Batch
from workflow_scripts.planning.cost.team import Team, team_of


class Unknown(Exception):
    """There is nothing to estimate from; the message says what is not known."""


@dataclass(frozen=True)
class Estimate:
    """Seconds of a job on the clock by phase, its GPUs, and what one of them must hold at different moments."""

    phases: dict[str, float]
    team: Team
    needs: tuple[Need, ...]

    @property
    def seconds(self) -> float:
        return sum(self.phases.values()) + self.team.start

    @property
    def gpu_seconds(self) -> float:
        return self.seconds * self.team.gpus

    @property
    def fullest(self) -> Need | None:
        """The need that leaves least of its limit."""
        return max(self.needs, key=lambda need: need.total / self.limit(need), default=None)

    def limit(self, need: Need) -> float:
        """GB that a need may take: those of the GPU, or of its part."""
        return need.limit or self.team.memory


@dataclass(frozen=True)
class GpuJob:
    """An artifact that a GPU job makes, and all that its estimate reads."""

    config: Config
    artifact: Artifact
    team: Team

    @classmethod
    def of(cls, config: Config, artifact: Artifact) -> "GpuJob | None":
        team = team_of(config, artifact)
        return cls(config, artifact, team) if team else None

    @property
    def hardware(self) -> Hardware:
        return self.config.hardware

    @property
    def settings(self) -> dict:
        """The slice of the config that the stage reads."""
        return self.artifact.config

    def network(self, role: str) -> Network:
        """The shape of an input's model. Raises Unknown."""
        model = self.artifact.inputs[role]
        found = network_of(model)
        if found is None:
            raise Unknown(f"the shape of {model_of(model)} is not in config/architectures.yaml")
        return found

    def responses(self, sequences: float, max_tokens: int) -> Batch:
        """So many responses of this job's policy, of assumed lengths."""
        assumed, policy = self.hardware, model_of(self.artifact)
        natural = assumed.response_tokens_of.get(policy, assumed.response_tokens)
        mean = min(natural, assumed.response_share * max_tokens)
        longest = min(max_tokens, assumed.longest_response * mean)
        return Batch(sequences, assumed.prompt_tokens, mean, longest, max_tokens)

    def rows(self, role: str, split: str) -> int:
        """Rows of a split of an input's data set. Raises Unknown."""
        source, wanted = self.artifact.inputs[role].config["source"], self.artifact.inputs[role].config["splits"][split]
        place = source.get("repo") or source.get("path") or ""
        count = wanted["rows"] or facts("row_counts").get(place, {}).get(wanted["source"] or split)
        if count is None:
            raise Unknown(f"the rows of {place or role} {split} are not in config/row_counts.yaml")
        return count

    def start(self, network: Network, engine: str = "inprocess") -> float:
        """Seconds before a model works: weights read from disk and, but for `inprocess`, a vLLM engine."""
        weights = BYTES["bfloat16"] * network.parameters / GB / self.hardware.disk_gb_s
        return weights + (0 if engine == "inprocess" else 60 * self.hardware.engine_minutes)


def model_of(artifact: Artifact) -> str:
    """Name in the config of the model that an artifact is, or was trained from."""
    if artifact.stage == "prepare_model":
        return artifact.config["model"]
    upstream = next((artifact.inputs[role] for role in TRAINED if role in artifact.inputs), None)
    return model_of(upstream) if upstream else ""
