"""Config models: every setting of the pipeline, its type, its bounds, its default and its meaning.

A setting is named once (`models:`, `rewards:`, `entropy:`, ...) and referred to by name. Unknown keys are refused.
`config/schema.json` is generated from these models.
"""

from typing import Annotated, Literal, TypeVar

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from workflow_scripts.config.base import Environment, Name, NonNegative, Share, SplitRef, Strict
from workflow_scripts.config.data_models import Dataset
from workflow_scripts.config.hardware import Hardware
from workflow_scripts.config.judge_models import Exploration, Judge
from workflow_scripts.config.network_models import Model
from workflow_scripts.config.rl_models import Algorithm, Reward, Validation
from workflow_scripts.config.rl_options import EntropyControl


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


class Product(Strict):
    """Settings whose combinations are arms."""

    policies: Some[Name] | None = None
    data: Some[SplitRef] | None = None
    algorithms: Some[Name] | None = None
    rewards: Some[Name] | None = None
    entropy: Some[Name] | None = None
    seeds: Some[Annotated[int, Field(ge=0)]] | None = None


class Study(Product):
    """One table or figure: the product of the named settings, and models and judges that no arm trains."""

    title: str
    also: list[Product] = Field(
        default_factory=list, description="further products of the study; what one leaves out is as above"
    )
    models: list[Name] = Field(
        default_factory=list, description="models that are evaluated as they are, as rows beside the arms"
    )
    judges: list[Name] = Field(
        default_factory=list, description="judges that are audited, whether or not arms use them"
    )
    benchmarks: list[Name] | None = Field(
        None, description="what the arms are evaluated on; None: all benchmarks, []: validation during training only"
    )

    @property
    def products(self) -> list[Product]:
        """The products of which the study consists, each complete; none where the study trains nothing."""
        own = {name: getattr(self, name) for name in Product.model_fields}
        parts = [own, *(own | part.model_dump(exclude_unset=True) for part in self.also)]
        return [Product.model_construct(**part) for part in parts if any(part.values())]

    def every(self, setting: str) -> list:
        """The values of a setting over all products, each once."""
        return list(dict.fromkeys(value for part in self.products for value in getattr(part, setting)))

    @model_validator(mode="after")
    def products_are_complete(self) -> "Study":
        for part in self.products:
            if lacking := [name for name in Product.model_fields if not getattr(part, name)]:
                raise ValueError(f"{', '.join(lacking)}: required, but missing")
        if not (self.products or self.models or self.judges):
            raise ValueError("a study needs arms (policies, data, ...), models or judges")
        return self


class Placement(Strict):
    """Where a stage's jobs run; no part of any key."""

    threads: PositiveInt = 1
    memory_gb: PositiveFloat = 2
    minutes: PositiveInt = 60
    gpus: Annotated[int, Field(ge=0)] = Field(0, description="GPUs per node")
    nodes: PositiveInt = 1
    serving_gpus: Annotated[int, Field(ge=0)] = Field(
        0, description="of the gpus of each node, those set aside for servers of a served judge; ranks get the others"
    )
    serving_nodes: Annotated[int, Field(ge=0)] = Field(
        0, description="of the nodes, those set aside for servers of a served judge; ranks run on the others"
    )
    checkpoint_every: PositiveInt = Field(25, description="rollout steps of a training between two checkpoints")
    gpu_memory_gb: PositiveFloat | None = Field(
        None, description="memory of one of these GPUs, against which the estimate is checked; None: hardware's"
    )

    @model_validator(mode="after")
    def servers_leave_room(self) -> "Placement":
        if self.serving_gpus > self.gpus:
            raise ValueError(f"serving_gpus: {self.serving_gpus} exceeds gpus: {self.gpus}")
        if self.serving_nodes >= self.nodes and self.serving_nodes:
            raise ValueError(f"serving_nodes: {self.serving_nodes} of nodes: {self.nodes} leaves none for the ranks")
        if self.serving_gpus and self.serving_nodes:
            raise ValueError("serving_gpus: servers run on GPUs of every node or on serving_nodes, not on both")
        return self

    @property
    def rank_gpus(self) -> int:
        """GPUs per node that ranks run on."""
        return self.gpus - self.serving_gpus

    @property
    def rank_nodes(self) -> int:
        """Nodes that ranks run on."""
        return self.nodes - self.serving_nodes

    @property
    def ranks(self) -> int:
        """Processes of a stage that shares its work: one per GPU, or per node where there are none."""
        return max(self.rank_gpus, 1) * self.rank_nodes

    def without_serving(self) -> "Placement":
        """The same ranks, with nothing set aside: what a job needs that asks no server."""
        if not self.rank_gpus:
            return self.model_copy(update={"serving_gpus": 0})  # one process, with all GPUs
        smaller = {"gpus": self.rank_gpus, "nodes": self.rank_nodes, "serving_gpus": 0, "serving_nodes": 0}
        return self.model_copy(update=smaller)


class Config(Strict):
    """The whole configuration."""

    extends: None = Field(None, description="name of a config in config/ that this one is laid over; its studies go")
    results: Annotated[str, Field(pattern=r"^[^{}]+$")] = Field(
        "results", description="root of all results, relative to the working directory"
    )
    title: str = "Entropy Bridge"
    scale: Literal["nano", "paper"] = Field(
        "nano", description="by whose names of settings the claims of config/claims.yaml are tested"
    )
    environment: Environment = Field("cpu", description="envs/NAME.txt: the lock file whose versions enter the keys")
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
    hardware: Hardware = Hardware()

    def rewarding_model(self, reward: str) -> str | None:
        """The model that gives a reward, as it was before any distillation; None for a rule or the truth."""
        settings = self.rewards[reward]
        if settings.kind == "judge":
            return self.judges[settings.judge].base
        return settings.teacher if settings.kind == "teacher" else None

    @model_validator(mode="after")
    def references_exist(self) -> "Config":
        from workflow_scripts.config.references import check_references

        check_references(self)
        return self
