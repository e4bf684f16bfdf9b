"""Settings of a run, read from a config slice and checked for what a schema cannot see."""

from dataclasses import dataclass, field
from typing import Any

from workflow_scripts.rl.advantages import advantage_options
from workflow_scripts.rl.losses import loss_options
from workflow_scripts.rl.losses.aggregation import AGGREGATIONS

SCOPES = ("mini_batch", "micro_batch")
_OPTIONAL = ("normalize_reward", "filter_groups", "checkpoint_every")


@dataclass(frozen=True)
class RolloutSettings:
    prompts: int
    samples: int
    max_tokens: int
    temperature: float = 1.0
    engine: str = "inprocess"


@dataclass(frozen=True)
class UpdateSettings:
    minibatches: int
    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    micro_batch_tokens: int = 16384
    entropy_coef: float = 0.0
    kl_coef: float = 0.0
    kl_in: str = "loss"
    warmup: int = 0


@dataclass(frozen=True)
class Choice:
    """A named algorithm and its options."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LossSettings(Choice):
    aggregation: str = "token-mean"
    scope: str = "mini_batch"


@dataclass(frozen=True)
class ValidationSettings:
    split: str
    every: int
    questions: int
    samples: int = 1


@dataclass(frozen=True)
class Settings:
    """Everything the trainer reads; `from_config` builds it. Raises ValueError, one line that names the setting."""

    seed: int
    steps: int
    rollout: RolloutSettings
    update: UpdateSettings
    advantage: Choice
    loss: LossSettings
    template: str
    normalize_reward: bool = False
    filter_groups: bool = True
    checkpoint_every: int = 25
    validation: ValidationSettings | None = None

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Settings":
        validation = config.get("validation")
        settings = cls(
            seed=config["seed"],
            steps=config["steps"],
            rollout=_build(RolloutSettings, "rollout", config["rollout"]),
            update=_build(UpdateSettings, "update", config["update"]),
            advantage=_build(Choice, "advantage", config["advantage"]),
            loss=_build(LossSettings, "loss", config["loss"]),
            template=config["template"],
            validation=_build(ValidationSettings, "validation", validation) if validation else None,
            **{name: config[name] for name in _OPTIONAL if name in config},
        )
        settings.check()
        return settings

    def check(self) -> None:
        responses, minibatches = self.rollout.prompts * self.rollout.samples, self.update.minibatches
        if minibatches < 1 or responses % minibatches:
            raise ValueError(
                f"rollout {self.rollout.prompts} prompts x {self.rollout.samples} samples = {responses} responses, "
                f"which update.minibatches {minibatches} does not divide"
            )
        if self.loss.aggregation not in AGGREGATIONS:
            raise ValueError(f"loss.aggregation {self.loss.aggregation!r}, allowed: {', '.join(AGGREGATIONS)}")
        if self.loss.scope not in SCOPES:
            raise ValueError(f"loss.scope {self.loss.scope!r}, allowed: {', '.join(SCOPES)}")
        if self.rollout.temperature <= 0:
            raise ValueError("rollout.temperature must be above 0: a policy learns from what it samples")
        if self.update.kl_in not in ("loss", "reward"):
            raise ValueError(f"update.kl_in {self.update.kl_in!r}, allowed: loss, reward")
        if self.normalize_reward and self.advantage.name == "grpo":
            raise ValueError("normalize_reward with advantage grpo: the group's deviation cancels it; switch one off")
        loss_options(self.loss.name, self.loss.options)
        advantage_options(self.advantage.name, self.advantage.options)

    @property
    def needs_reference(self) -> bool:
        """Whether any term reads the reference model."""
        return self.update.kl_coef != 0 or self.advantage.options.get("kl_coef", 0) != 0

    @property
    def kl_loss_coef(self) -> float:
        """Coefficient of the KL to the reference as a term of the loss."""
        return self.update.kl_coef if self.update.kl_in == "loss" else 0.0

    @property
    def advantage_options(self) -> dict[str, Any]:
        """Options of the estimator, with the KL coefficient where the KL goes into the reward."""
        in_reward = {"kl_coef": self.update.kl_coef} if self.update.kl_coef and self.update.kl_in == "reward" else {}
        return in_reward | self.advantage.options

    def geometry(self) -> str:
        """One line: prompts x samples = responses = updates x mini-batch."""
        rollout, minibatches = self.rollout, self.update.minibatches
        responses = rollout.prompts * rollout.samples
        return (
            f"{rollout.prompts} prompts x {rollout.samples} samples = {responses} responses "
            f"= {minibatches} updates x {responses // minibatches}"
        )


def _build(kind: type, section: str, values: dict[str, Any]) -> Any:
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{section}: {str(error).partition('() ')[2] or error}") from None
