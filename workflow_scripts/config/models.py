"""Config models: every setting of the pipeline, its type, its bounds, its default and its meaning.

A setting is named once (`models:`, `rewards:`, `entropy:`, ...) and referred to by name. Unknown keys are refused.
`config/schema.json` is generated from these models.
"""

from typing import Annotated, Literal, TypeVar

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from workflow_scripts.config.base import Name, NonNegative, Revision, Strict
from workflow_scripts.config.data_models import Dataset
from workflow_scripts.config.rl_options import Advantage, EntropyControl

Share = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Kappa = Annotated[float, Field(ge=-1, le=1)]
SplitRef = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$", description="dataset.split")]


# -------------------------------------------------------------------------------------------- models
class Architecture(Strict):
    layers: PositiveInt
    width: PositiveInt
    heads: PositiveInt
    mlp: PositiveInt
    vocab: PositiveInt = Field(description="upper bound of the tokenizer's vocabulary")
    positions: PositiveInt = 128


class SupervisedTraining(Strict):
    steps: PositiveInt
    batch: PositiveInt
    lr: PositiveFloat
    warmup: Share = Field(0.02, description="share of the steps with a rising learning rate")
    weight_decay: NonNegative = 0.0
    prompt_weight: NonNegative = Field(0.0, description="weight of predicting the prompt, beside the completion")


class ScratchModel(Strict):
    kind: Literal["scratch"]
    data: Name = Field(description="dataset of demonstrations or pairs that the model is trained on")
    objective: Literal["demonstrations", "verdicts"]
    architecture: Architecture
    training: SupervisedTraining


class HubModel(Strict):
    kind: Literal["hub"]
    repo: str
    revision: Revision = Field(description="commit of the model; 'unpinned' can be planned but not run")


class Judging(Strict):
    """How a model is run where it judges. Engines agree to rounding: the engine is part of the key all the same."""

    engine: Literal["inprocess", "vllm", "served"] = Field(
        "inprocess", description="transformers, vLLM in the job's process, or a vLLM server inside the job's allocation"
    )
    batch: PositiveInt = Field(256, description="prompts of one forward pass, or in flight at a vLLM engine")
    max_length: PositiveInt = Field(
        4096, description="tokens of prompt and verdict; a longer prompt loses the middle of its question"
    )
    precision: Literal["float32", "bfloat16"] = "float32"
    tensor_parallel: PositiveInt = Field(1, description="GPUs over which a vLLM engine splits the model")


class Model(Strict):
    source: ScratchModel | HubModel = Field(discriminator="kind")
    template: Name = Field(description="prompt template: how a question, or a question to judge, is put to the model")
    judging: Judging = Judging()


# ------------------------------------------------------------------------------- reinforcement learning
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
    engine: Literal["inprocess"] = "inprocess"
    max_batches: PositiveInt = Field(
        1, description="batches that a step may sample until `prompts` groups have mixed verdicts; 1: no refill"
    )
    overlong_buffer: Annotated[int, Field(ge=0)] = Field(
        0, description="last tokens before max_tokens in which the reward falls (DAPO); 0: no punishment"
    )
    overlong_weight: NonNegative = Field(1.0, description="what a response of max_tokens loses")


class Update(Strict):
    minibatches: PositiveInt = Field(description="optimiser updates of a rollout step")
    lr: PositiveFloat
    warmup: Annotated[int, Field(ge=0)] = Field(0, description="updates with a rising learning rate")
    schedule: Literal["constant", "linear", "cosine"] = Field("constant", description="after the warm-up")
    min_lr_ratio: Share = Field(0.0, description="share of lr at which a linear or cosine schedule ends")
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    weight_decay: NonNegative = 0.0
    max_grad_norm: PositiveFloat = 1.0
    micro_batch_tokens: PositiveInt = Field(16384, description="prompt and response tokens of one forward pass")
    entropy_coef: NonNegative = Field(0.0, description="entropy bonus, added to every loss")
    entropy_target: NonNegative | None = Field(
        None, description="entropy_all (nats) towards which entropy_coef adapts from step to step; None: constant"
    )
    entropy_delta: NonNegative = Field(1e-4, description="change of an adaptive entropy_coef per rollout step")
    entropy_max: NonNegative = Field(5e-3, description="upper bound of an adaptive entropy_coef")
    kl_coef: NonNegative = Field(0.0, description="KL to the starting policy")
    kl_in: Literal["loss", "reward"] = Field("loss", description="where that KL is added")
    kl_estimator: Literal["k1", "k2", "k3"] = Field("k3", description="of the KL in the loss; in the reward it is k1")
    backend: Literal["single", "zero2", "zero3"] = Field(
        "single", description="one process, or DeepSpeed under torchrun (config/deepspeed/)"
    )
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the passes; weights and moments: fp32")


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


# --------------------------------------------------------------------------------------------- judge
class Exploration(Strict):
    policy: Name
    teacher: Name
    data: SplitRef
    algorithm: Name
    entropy: Name = Field(description="policy loss of the exploration")


class Labels(Strict):
    votes: PositiveInt = Field(10, description="sampled verdicts per answer of the audit split")
    vote_temperature: PositiveFloat = 1.0
    audit_share: Share = 0.2
    validation_share: Share = 0.1
    shard_rows: PositiveInt = Field(
        4096, description="distinct answers between two files that a killed job resumes from"
    )
    rollouts_per_job: PositiveInt = Field(
        1_000_000, description="rollouts of an exploration that one job labels; above it the labels are scattered"
    )


class JudgeTraining(Strict):
    epochs: PositiveInt = 1
    batch: PositiveInt = 128
    lr: PositiveFloat = 5e-6
    warmup: Share = 0.05
    weight_decay: NonNegative = 0.0
    micro_batch_tokens: PositiveInt = Field(16384, description="tokens of one forward pass")
    backend: Literal["single", "zero2", "zero3"] = Field(
        "single", description="one process, or DeepSpeed under torchrun (config/deepspeed/)"
    )
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the passes; weights and moments: fp32")


class Gate(Strict):
    """What a judge must reach on the audit split before an arm may train on it."""

    balanced_accuracy: Share = Field(description="against the teacher, at least")
    kappa: Kappa = Field(description="Cohen's kappa with the teacher, at least")
    false_positive_rate: Share = Field(description="on the worst probe, at most")
    accuracy: Share | None = Field(None, description="against the teacher, at least; None: not asked for")
    ece: Share | None = Field(None, description="expected calibration error against the teacher, at most")
    kappa_truth: Kappa | None = Field(
        None, description="Cohen's kappa with the truth, at least; a data set without fails"
    )
    flipped: Share | None = Field(None, description="verdicts that the worst change of wording turns, at most")


class ImportedRatings(Strict):
    kind: Literal["file"]
    path: str = Field(description="Parquet file with question_id, answer, reference and verdict of a further rater")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(description="digest of that file, part of the key")


class ModelRatings(Strict):
    kind: Literal["model"]
    model: Name


class Audit(Strict):
    """What a judge is compared with beside its teacher, its base, the rules and, where it is known, the truth."""

    compare: list[Name] = Field(default_factory=list, description="models that judge off the shelf")
    second_rater: ImportedRatings | ModelRatings | None = Field(
        None, discriminator="kind", description="rater against whom the teacher's votes are measured too"
    )
    wording_answers: PositiveInt = Field(400, description="answers that are put in other words to see verdicts change")


class Judge(Strict):
    base: Name
    exploration: Name
    labels: Labels = Labels()
    training: JudgeTraining
    adversarial_negatives: bool = True
    audit: Audit = Audit()
    gate: Gate


# ----------------------------------------------------------------------------------------- evaluation
class Benchmark(Strict):
    """Questions, how answers are sampled (temperature 0: greedily; always from all tokens) and who grades them."""

    data: SplitRef
    samples: PositiveInt
    temperature: NonNegative = 1.0
    max_tokens: PositiveInt
    graders: list[Literal["truth", "rule", "contains", "teacher", "judge"]] = Field(min_length=1)
    votes: PositiveInt = Field(1, description="m, verdicts of the teacher whose majority counts; ties are right")
    vote_temperature: NonNegative = Field(
        0, description="at which the votes are drawn; 0: the one vote is the likelier verdict"
    )

    @model_validator(mode="after")
    def votes_differ(self) -> "Benchmark":
        if self.votes > 1 and not self.vote_temperature:
            raise ValueError(f"votes: {self.votes} equal ones at vote_temperature 0: use 1, or a temperature above 0")
        return self


Item = TypeVar("Item")
Some = Annotated[list[Item], Field(min_length=1)]


class Study(Strict):
    """One table or figure: the product of the named settings."""

    title: str
    policies: Some[Name]
    data: Some[SplitRef]
    algorithms: Some[Name]
    rewards: Some[Name]
    entropy: Some[Name]
    seeds: Some[Annotated[int, Field(ge=0)]]
    benchmarks: list[Name] | None = Field(
        None, description="what the arms are evaluated on; None: all benchmarks, []: validation during training only"
    )


class Placement(Strict):
    """Where a stage's jobs run; no part of any key."""

    threads: PositiveInt = 1
    memory_gb: PositiveFloat = 2
    minutes: PositiveInt = 60
    gpus: Annotated[int, Field(ge=0)] = Field(0, description="GPUs per node")
    nodes: PositiveInt = 1
    checkpoint_every: PositiveInt = Field(25, description="rollout steps of a training between two checkpoints")

    @property
    def ranks(self) -> int:
        """Processes of a stage that shares its work: one per GPU, or per node where there are none."""
        return max(self.gpus, 1) * self.nodes


class Config(Strict):
    """The whole configuration."""

    extends: None = Field(None, description="name of a config in config/ that this one is laid over; its studies go")
    results: Annotated[str, Field(pattern=r"^[^{}]+$")] = Field(
        "results", description="root of all results, relative to the working directory"
    )
    title: str = "Entropy Bridge"
    environment: Literal["cpu", "deepspeed", "vllm-cpu"] = Field(
        "cpu", description="envs/NAME.txt: the lock file whose versions enter the keys"
    )
    seed: Annotated[int, Field(ge=0)] = Field(
        0, description="seed of data, models and judges where replicates is shared"
    )
    replicates: Literal["full", "shared"] = Field(
        "shared", description="full: each seed of an arm has its own world, models and judge; shared: only RL differs"
    )
    datasets: dict[Name, Dataset]
    models: dict[Name, Model]
    algorithms: dict[Name, Algorithm]
    entropy: dict[Name, EntropyControl]
    rewards: dict[Name, Reward]
    explorations: dict[Name, Exploration] = Field(default_factory=dict)
    judges: dict[Name, Judge] = Field(default_factory=dict)
    validation: Validation
    benchmarks: dict[Name, Benchmark]
    teacher: Name = Field(description="model that grades the benchmarks and labels the rollouts")
    judge: Name | None = Field(
        None, description="distilled judge that grades the benchmarks which name the grader judge"
    )
    control_subjects: list[str] = Field(
        default_factory=list, description="subjects where rules are expected to suffice"
    )
    ood_subjects: list[str] = Field(default_factory=list, description="subjects unseen by exploration and judge")
    early_share: Share = Field(0.15, description="share of the steps from which the law predicts the rest")
    studies: dict[Name, Study] = Field(description="in the order in which they are computed")
    only: Some[Name] | None = Field(None, description="studies to compute and to report; None: all")
    placement: dict[str, Placement] = Field(default_factory=dict)

    @model_validator(mode="after")
    def references_exist(self) -> "Config":
        from workflow_scripts.config.references import check_references

        check_references(self)
        return self
