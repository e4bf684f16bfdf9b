"""The grid: studies are products of named settings, and equal arms of two studies are one arm."""

from dataclasses import dataclass, field
from itertools import product

from workflow_scripts.config.models import Config


@dataclass(frozen=True)
class Arm:
    """One policy trained under one reward and entropy setting from one seed."""

    policy: str
    data: str
    algorithm: str
    reward: str
    entropy: str
    seed: int
    studies: tuple[str, ...] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """The human part of the arm's path."""
        parts = (self.policy, self.data.replace(".", "_"), self.algorithm, self.reward, self.entropy, f"s{self.seed}")
        return ".".join(parts)

    @property
    def settings(self) -> dict:
        """The named settings, as the analysis reads them."""
        names = ("policy", "data", "algorithm", "reward", "entropy", "seed")
        label = " · ".join((self.algorithm, self.reward, self.entropy))
        return {"name": label, **{name: getattr(self, name) for name in names}, "studies": list(self.studies)}


def expand_arms(config: Config) -> list[Arm]:
    """All arms of all studies, each once, in the order in which the config names them."""
    studies: dict[Arm, dict[str, None]] = {}
    for name, study in config.studies.items():
        for part in study.products:
            for arm in product(part.policies, part.data, part.algorithms, part.rewards, part.entropy, part.seeds):
                studies.setdefault(Arm(*arm), {})[name] = None
    return [
        Arm(arm.policy, arm.data, arm.algorithm, arm.reward, arm.entropy, arm.seed, tuple(names))
        for arm, names in studies.items()
    ]
