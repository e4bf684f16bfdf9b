"""Config of the models: where a network comes from, what it is asked with, and how it is run where it judges."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from workflow_scripts.config.base import Name, NonNegative, Revision, Share, Strict


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


class Model(Strict):
    source: ScratchModel | HubModel = Field(discriminator="kind")
    template: Name = Field(description="prompt template: how a question, or a question to judge, is put to the model")
    judging: Judging = Judging()
