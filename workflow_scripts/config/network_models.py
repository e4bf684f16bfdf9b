"""Config of the models: where a network comes from, what it is asked with, how it is run to judge or to answer."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from workflow_scripts.config.base import Name, NonNegative, Revision, Sha256, Share, Strict
from workflow_scripts.config.judge_models import JudgeTraining


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


class GgufModel(Strict):
    """A GGUF file, unpacked into whole weights: of an installed package, or a local one."""

    kind: Literal["gguf"]
    package: str | None = Field(None, description="installed Python package that carries the file")
    version: str | None = Field(None, description="its version, which stands for the file")
    resource: str | None = Field(None, description="path of the file inside the package")
    path: str | None = Field(None, description="a local file, relative to the working directory, in place of a package")
    sha256: Sha256 | None = Field(None, description="digest of that file, which stands for it")

    @model_validator(mode="after")
    def one_file(self) -> "GgufModel":
        of_package, local = (self.package, self.version, self.resource), (self.path, self.sha256)
        if not (all(of_package) and not any(local) or all(local) and not any(of_package)):
            raise ValueError("either package, version and resource say which file it is, or path and sha256")
        return self


class FineTuning(JudgeTraining):
    """As judges are trained; `steps` or `epochs` say how long."""

    steps: PositiveInt | None = Field(None, description="updates; None: `epochs` say how many")
    prompt_weight: NonNegative = Field(0.0, description="weight of predicting the prompt, beside the completion")


class FinetunedModel(Strict):
    """Another model, after supervised fine-tuning."""

    kind: Literal["finetuned"]
    base: Name = Field(description="the model that is fine-tuned")
    data: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$")] = Field(
        description="dataset or dataset.split that it is trained on; the split train, where none is named"
    )
    objective: Literal["demonstrations", "verdicts", "references"] = Field(
        description="worked examples; YES or NO to pairs; or reference answers of questions, without any reasoning"
    )
    training: FineTuning

    @property
    def split(self) -> tuple[str, str]:
        """Data set and split."""
        dataset, _, split = self.data.partition(".")
        return dataset, split or "train"


class Judging(Strict):
    """How a model is run where it judges. Engines agree to rounding: the engine is part of the key all the same."""

    engine: Literal["inprocess", "vllm", "served"] = Field(
        "inprocess",
        description="transformers, vLLM in the job's process, or vLLM servers inside its allocation, where placement "
        "has serving_gpus or serving_nodes, or no training runs",
    )
    batch: PositiveInt = Field(256, description="prompts of one forward pass, or in flight at a vLLM engine")
    max_length: PositiveInt = Field(
        4096, description="tokens of prompt and verdict; a longer prompt loses the middle of its question"
    )
    precision: Literal["float32", "bfloat16"] = "float32"
    tensor_parallel: PositiveInt = Field(
        1, description="GPUs over which a vLLM engine splits the model; a served one has as many copies as fit"
    )


class Sampling(Strict):
    """How a model is run where it answers benchmarks; in training it is `rollout` of the algorithm that says so."""

    engine: Literal["inprocess", "vllm"] = Field(
        "inprocess", description="transformers, or vLLM in the job's processes: one per GPU or group of GPUs"
    )
    tensor_parallel: PositiveInt = Field(
        1,
        description="GPUs of a node over which a vLLM engine splits the model: here, and for rollouts of its training",
    )
    precision: Literal["float32", "bfloat16"] = "float32"
    gpu_memory: Annotated[float, Field(gt=0, lt=1)] = Field(0.9, description="share of a GPU that a vLLM engine takes")

    @model_validator(mode="after")
    def settings_fit_together(self) -> "Sampling":
        if self.engine == "inprocess" and self.tensor_parallel > 1:
            raise ValueError("tensor_parallel: the engine inprocess runs on one GPU")
        return self


class Model(Strict):
    source: ScratchModel | HubModel | GgufModel | FinetunedModel = Field(discriminator="kind")
    template: Name = Field(description="prompt template: how a question, or a question to judge, is put to the model")
    judging: Judging = Judging()
    sampling: Sampling = Sampling()
