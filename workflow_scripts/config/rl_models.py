"""Config of reinforcement learning: rollouts, updates, algorithms, rewards and validation."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from workflow_scripts.config.base import Beta, Name, NonNegative, Share, SplitRef, Strict
from workflow_scripts.config.computation import Computation
from workflow_scripts.config.rl_options import Advantage


class Rollout(Strict):
    prompts: PositiveInt = Field(description="prompts of a rollout step")
    samples: PositiveInt = Field(description="responses per prompt")
    max_tokens: PositiveInt
    temperature: PositiveFloat = 1.0
    responses: Literal["policy", "start"] = Field(
        "policy",
        description="whose are trained on: the policy's, or the starting policy's (with loss reinforce, advantage "
        "reinforce and a 0/1 reward: supervised fine-tuning on its own right answers)",
    )
    engine: Literal["inprocess", "vllm"] = Field(
        "inprocess",
        description="transformers on the trainer's own weights, or vLLM in the same processes, loaded at every step",
    )
    gpu_memory: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.4, description="share of a GPU that a vLLM engine takes while it samples; it sleeps during the update"
    )
    importance_cap: PositiveFloat | None = Field(
        None,
        description="truncated importance sampling: a token's loss counts min(p trainer / p engine, cap); None: off",
    )
    probe_tolerance: PositiveFloat | None = Field(
        None,
        description="mean difference of log-probabilities, nats, at which a vLLM engine no longer passes for the "
        "trainer; None: 1e-4 in float32, 0.05 in bfloat16",
    )
    max_batches: PositiveInt = Field(
        1, description="batches that a step may sample until `prompts` groups have mixed verdicts; 1: no refill"
    )
    overlong_buffer: Annotated[int, Field(ge=0)] = Field(
        0, description="last tokens before max_tokens in which the reward falls (DAPO); 0: no punishment"
    )
    overlong_weight: NonNegative = Field(1.0, description="what a response of max_tokens loses")


class Update(Computation):
    minibatches: PositiveInt = Field(description="optimiser updates of a rollout step")
    lr: PositiveFloat
    warmup: Annotated[int, Field(ge=0)] = Field(0, description="updates with a rising learning rate")
    schedule: Literal["constant", "linear", "cosine"] = Field("constant", description="after the warm-up")
    min_lr_ratio: Share = Field(0.0, description="share of lr at which a linear or cosine schedule ends")
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    weight_decay: NonNegative = 0.0
    max_grad_norm: PositiveFloat = 1.0
    entropy_coef: NonNegative = Field(0.0, description="entropy bonus, added to every loss")
    entropy_target: NonNegative | None = Field(
        None, description="entropy_all (nats) towards which entropy_coef adapts from step to step; None: constant"
    )
    entropy_delta: NonNegative = Field(1e-4, description="change of an adaptive entropy_coef per rollout step")
    entropy_max: NonNegative = Field(5e-3, description="upper bound of an adaptive entropy_coef")
    kl_coef: NonNegative = Field(0.0, description="KL to the starting policy")
    kl_in: Literal["loss", "reward"] = Field("loss", description="where that KL is added")
    kl_estimator: Literal["k1", "k2", "k3"] = Field("k3", description="of the KL in the loss; in the reward it is k1")


class Algorithm(Strict):
    """How rewards become advantages, and how many of which updates follow."""

    advantage: Advantage
    steps: PositiveInt = Field(description="rollout steps")
    rollout: Rollout
    update: Update
    normalize_reward: bool = Field(False, description="z-score of the reward over the batch (2503.23829, Eq. 5)")
    filter_groups: bool = Field(True, description="drop groups whose thresholded verdicts are all equal")
    measure_entropy_change: bool = Field(
        False, description="measure the entropy of the same responses before and after the update, one pass more"
    )

    @model_validator(mode="after")
    def settings_fit_together(self) -> "Algorithm":
        rollout, update, responses = self.rollout, self.update, self.rollout.prompts * self.rollout.samples
        if responses % update.minibatches:
            raise ValueError(
                f"update.minibatches: {update.minibatches} does not divide the {responses} responses of a step"
            )
        if self.normalize_reward and self.advantage.name in ("grpo", "qae"):
            raise ValueError(f"normalize_reward: cancelled by {self.advantage.name}, which divides by the deviation")
        if rollout.engine == "inprocess" and rollout.importance_cap is not None:
            raise ValueError("rollout.importance_cap: a setting of the engine vllm")
        if rollout.engine == "vllm" and rollout.responses == "start":
            raise ValueError("rollout.responses: start: the starting policy samples with the engine inprocess only")
        if rollout.max_batches > 1 and not self.filter_groups:
            raise ValueError(f"rollout.max_batches: {rollout.max_batches}, but filter_groups is off: nothing to refill")
        if rollout.overlong_buffer > rollout.max_tokens:
            raise ValueError(
                f"rollout.overlong_buffer: {rollout.overlong_buffer} exceeds max_tokens {rollout.max_tokens}"
            )
        if update.kl_coef and update.kl_in == "reward" and self.advantage.options.kl_coef:
            raise ValueError("update.kl_coef: the KL is in the reward already, by advantage.options.kl_coef")
        if update.warmup > self.steps * update.minibatches:
            raise ValueError(f"update.warmup: {update.warmup} exceeds the {self.steps * update.minibatches} updates")
        return self


class RuleReward(Strict):
    kind: Literal["rule"]
    rule: Literal["verify", "contains", "boxed"]
    soft: bool = Field(False, description="Jaccard similarity in place of the 0/1 verdict")


class JudgeReward(Strict):
    kind: Literal["judge"]
    judge: Name
    soft: bool = Field(True, description="the judge's probability in place of its verdict")
    form: Literal["normalized", "eq4"] = Field("normalized", description="P(YES)/(P(YES)+P(NO)), or 2503.23829 Eq. 4")
    threshold: Share = 0.5


class TeacherReward(Strict):
    kind: Literal["teacher"]
    teacher: Name
    soft: bool = False
    form: Literal["normalized", "eq4"] = "normalized"
    threshold: Share = 0.5


class TruthReward(Strict):
    kind: Literal["truth"]


Reward = Annotated[RuleReward | JudgeReward | TeacherReward | TruthReward, Field(discriminator="kind")]


class Validation(Strict):
    data: SplitRef
    every: PositiveInt = Field(description="rollout steps between two validations")
    questions: PositiveInt
    samples: PositiveInt = 1
