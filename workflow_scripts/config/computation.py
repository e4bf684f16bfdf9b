"""Config of how updates of a network are computed: on which backend, in what precision, within which memory."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from workflow_scripts.config.base import Strict


class Computation(Strict):
    """All ways give the same update up to rounding (that of bfloat16, where it is chosen)."""

    micro_batch_tokens: PositiveInt = Field(16384, description="prompt and response tokens of one forward pass")
    backend: Literal["single", "zero2", "zero3"] = Field(
        "single", description="one process, or DeepSpeed under torchrun (config/deepspeed/)"
    )
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the passes; weights and moments: fp32")
    offload: Literal["none", "optimizer", "all"] = Field(
        "none",
        description="what waits in the CPU's memory: the optimiser's state (ZeRO), or the weights too (zero3)",
    )
    activation_checkpointing: bool = Field(
        False, description="keep the inputs of the layers only and compute the rest again: less memory, a third slower"
    )
    packing: bool = Field(
        False, description="passes without padding: the sequences of a micro-batch in one row, attending to themselves"
    )

    @model_validator(mode="after")
    def offload_fits_backend(self) -> "Computation":
        allowed = {"single": ("none",), "zero2": ("none", "optimizer"), "zero3": ("none", "optimizer", "all")}
        if self.offload not in allowed[self.backend]:
            raise ValueError(f"offload: {self.offload} with backend {self.backend}: {', '.join(allowed[self.backend])}")
        return self
