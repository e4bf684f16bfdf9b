"""Settings of a run, read from a config slice and checked for what a schema cannot see."""

from dataclasses import dataclass, field
from typing import Any

from workflow_scripts.generation import ENGINES
from workflow_scripts.rl.advantages import advantage_options
from workflow_scripts.rl.backends import BACKENDS, OFFLOADS
from workflow_scripts.rl.entropy_coefficient import EntropyCoefficient
from workflow_scripts.rl.kl import ESTIMATORS
from workflow_scripts.rl.losses import loss_aggregations, loss_options
from workflow_scripts.rl.losses.aggregation import AGGREGATIONS
from workflow_scripts.rl.schedule import SCHEDULES

SCOPES = ("mini_batch", "micro_batch")
RESPONSES = ("policy", "start")
_OPTIONAL = ("normalize_reward", "filter_groups", "measure_entropy_change")


@dataclass(frozen=True)
class RolloutSettings:
    prompts: int
    samples: int
    max_tokens: int
    temperature: float = 1.0
    responses: str = "policy"
    engine: str = "inprocess"
    tensor_parallel: int = 1
    gpu_memory: float = 0.4
    importance_cap: float | None = None
    probe_tolerance: float | None = None
    max_batches: int = 1
    overlong_buffer: int = 0
    overlong_weight: float = 1.0


@dataclass(frozen=True)
class UpdateSettings:
    minibatches: int
    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    micro_batch_tokens: int = 16384
    entropy_coef: float = 0.0
    entropy_target: float | None = None
    entropy_delta: float = 1e-4
    entropy_max: float = 5e-3
    kl_coef: float = 0.0
    kl_in: str = "loss"
    kl_estimator: str = "k3"
    warmup: int = 0
    schedule: str = "constant"
    min_lr_ratio: float = 0.0
    backend: str = "single"
    precision: str = "float32"
    offload: str = "none"
    activation_checkpointing: bool = False
    packing: bool = False


@dataclass(frozen=True)
class Choice:
    """A named algorithm and its options."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LossSettings(Choice):
    aggregation: str = "token-mean"
    scope: str = "mini_batch"
    normalization: str = "mini_batch"


@dataclass(frozen=True)
class ValidationSettings:
    split: str
    every: int
    questions: int
    samples: int = 1
    grading: str = "math"  # how the rule reads the answers of the split


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
    measure_entropy_change: bool = False
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
        for name, value, allowed in (
            ("rollout.responses", self.rollout.responses, RESPONSES),
            ("loss.aggregation", self.loss.aggregation, AGGREGATIONS),
            ("loss.scope", self.loss.scope, SCOPES),
            ("loss.normalization", self.loss.normalization, SCOPES),
            ("update.kl_in", self.update.kl_in, ("loss", "reward")),
            ("update.kl_estimator", self.update.kl_estimator, tuple(ESTIMATORS)),
            ("update.schedule", self.update.schedule, SCHEDULES),
            ("update.backend", self.update.backend, tuple(BACKENDS)),
            ("update.precision", self.update.precision, ("float32", "bfloat16")),
            ("update.offload", self.update.offload, OFFLOADS.get(self.update.backend, ())),
        ):
            if value not in allowed:
                raise ValueError(f"{name} {value!r}, allowed: {', '.join(allowed)}")
        if self.rollout.temperature <= 0:
            raise ValueError("rollout.temperature must be above 0: a policy learns from what it samples")
        if self.update.kl_coef and self.update.kl_in == "reward" and self.advantage.options.get("kl_coef"):
            raise ValueError("update.kl_coef: the KL is in the reward already, by advantage.options.kl_coef")
        if self.rollout.max_batches > 1 and not self.filter_groups:
            raise ValueError("rollout.max_batches is above 1, but filter_groups is off: no group would be refilled")
        if self.rollout.overlong_buffer > self.rollout.max_tokens:
            raise ValueError(
                f"rollout.overlong_buffer {self.rollout.overlong_buffer} exceeds max_tokens {self.rollout.max_tokens}"
            )
        if self.normalize_reward and self.advantage.name in ("grpo", "qae"):
            raise ValueError(f"normalize_reward with advantage {self.advantage.name}: the group's deviation cancels it")
        self._check_engine()
        self.adaptive_entropy_coefficient()
        loss_options(self.loss.name, self.loss.options)
        if self.loss.aggregation not in loss_aggregations(self.loss.name):
            raise ValueError(
                f"loss {self.loss.name}: aggregation {self.loss.aggregation!r}, allowed: "
                f"{', '.join(loss_aggregations(self.loss.name))}"
            )
        advantage_options(self.advantage.name, self.advantage.options)

    def _check_engine(self) -> None:
        rollout = self.rollout
        if rollout.engine not in ENGINES:
            raise ValueError(f"rollout.engine {rollout.engine!r}, allowed: {', '.join(ENGINES)}")
        if rollout.engine == "inprocess":
            if rollout.importance_cap is not None:
                raise ValueError("rollout.importance_cap: the engine inprocess is the trainer: every weight is one")
            if rollout.tensor_parallel > 1:
                raise ValueError("rollout.tensor_parallel: the engine inprocess runs on one GPU")
        elif rollout.responses == "start":
            raise ValueError("rollout.responses start: the starting policy samples with the engine inprocess only")

    @property
    def has_kl(self) -> bool:
        """Whether any term is a KL to the starting policy."""
        return self.update.kl_coef != 0 or self.advantage.options.get("kl_coef", 0) != 0

    @property
    def needs_reference(self) -> bool:
        """Whether the starting policy is needed beside the one that is trained."""
        return self.has_kl or self.rollout.responses == "start"

    def adaptive_entropy_coefficient(self) -> EntropyCoefficient | None:
        """A new controller of the entropy bonus; None where it is constant."""
        update = self.update
        if update.entropy_target is None:
            return None
        return EntropyCoefficient(update.entropy_coef, update.entropy_target, update.entropy_delta, update.entropy_max)

    @property
    def updates(self) -> int:
        """Optimiser updates of the whole run."""
        return self.steps * self.update.minibatches

    @property
    def kl_loss_coef(self) -> float:
        """Coefficient of the KL to the reference as a term of the loss."""
        return self.update.kl_coef if self.update.kl_in == "loss" else 0.0

    @property
    def advantage_options(self) -> dict[str, Any]:
        """Options of the estimator, with the KL coefficient where the KL goes into the reward."""
        in_reward = {"kl_coef": self.update.kl_coef} if self.update.kl_coef and self.update.kl_in == "reward" else {}
        return self.advantage.options | in_reward

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
