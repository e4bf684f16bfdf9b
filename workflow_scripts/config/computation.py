"""Config of how updates of a network are computed: on which backend, in what precision, within which memory."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from workflow_scripts.config.base import Strict
from workflow_scripts.rl.backends import OFFLOADS


class Computation(Strict):
    """All ways give the same update up to rounding (that of bfloat16, where it is chosen)."""

    micro_batch_tokens: PositiveInt = Field(16384, description="prompt and response tokens of one forward pass")
    backend: Literal["single", "zero2", "zero3"] = Field(
        "single", description="one process, or DeepSpeed under torchrun (config/deepspeed/)"
    )
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the passes; weights and moments: fp32")
    offload: Literal["none", "optimizer", "all"] = Field(
        "none",
        description="what waits in CPU memory: the optimiser's state (zero2, zero3), or weights too (zero3)",
    )
    activation_checkpointing: bool = Field(
        False, description="keep the inputs of the layers only and compute the rest again: less memory, a third slower"
    )
    packing: bool = Field(
        False, description="passes without padding: the sequences of a micro-batch in one row, attending to themselves"
    )

    @model_validator(mode="after")
    def offload_fits_backend(self) -> "Computation":
        allowed = OFFLOADS[self.backend]
        if self.offload not in allowed:
            raise ValueError(f"offload: {self.offload} with backend {self.backend}: {', '.join(allowed)}")
        return self
