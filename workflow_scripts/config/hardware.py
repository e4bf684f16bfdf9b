"""What the estimates of time and memory rest on: one kind of GPU, and shares of its peak that real programs reach.

All constants of the cost model (planning/cost/) stand here, each with its reason. None enters a key: a config may say
better ones under `hardware:` at any time. Units: GB = 1e9 bytes, TB/s = 1e12 bytes a second, TFLOP/s dense.
"""

from typing import Literal, NamedTuple

from pydantic import Field, PositiveFloat, PositiveInt

from workflow_scripts.config.base import Name, NonNegative, Share, Strict


class Gpu(NamedTuple):
    """Data sheet of one GPU: dense bf16 and fp32 (no tensor cores) TFLOP/s, memory in GB and its TB/s."""

    tflops: float
    tflops_fp32: float
    memory: float
    bandwidth: float


TERA = 1e12
GPUS = {
    "h100": Gpu(989, 67, 80, 3.35),
    "h200": Gpu(989, 67, 141, 4.8),
    "a100_80": Gpu(312, 19.5, 80, 2.0),
    "a100_40": Gpu(312, 19.5, 40, 1.55),
    "l40s": Gpu(362, 91.6, 48, 0.864),
}


class Hardware(Strict):
    """Assumptions of the estimates in `make plan` and of the check that jobs fit their GPUs; no part of any key."""

    gpu: Literal["h100", "h200", "a100_80", "a100_40", "l40s"] = "h100"
    gpu_memory_gb: PositiveFloat | None = Field(None, description="memory of one GPU; None: that of `gpu`")
    tflops: PositiveFloat | None = Field(None, description="dense bf16 peak; None: that of `gpu`")
    bandwidth_tb: PositiveFloat | None = Field(None, description="memory bandwidth in TB/s; None: that of `gpu`")
    head_tflops: PositiveFloat | None = Field(
        None, description="peak at which logits are formed; None: fp32 without tensor cores, as rl/logprobs.py does"
    )
    train_mfu: Share = Field(
        0.40, description="share of the peak in training; 0.46 measured by PRIME at 7B, 0.31 to 0.40 by verl at 30B"
    )
    prefill_mfu: Share = Field(0.40, description="share of the peak where prompts are read: teacher, judge, log-probs")
    head_efficiency: Share = Field(0.75, description="share of its peak that a large fp32 matrix product reaches")
    decode_efficiency: Share = Field(
        0.6, description="share of the roof (weights, FLOPs, KV cache) that decoding reaches, scheduling included"
    )
    eager_layer_ms: NonNegative = Field(
        0.6, description="least ms a layer and token where no CUDA graph is used (inprocess): about 10 launches"
    )
    disk_gb_s: PositiveFloat = Field(2.0, description="GB/s at which weights and checkpoints are read and written")
    start_minutes: NonNegative = Field(0.5, description="of a job: imports, process group; weights are told apart")
    engine_minutes: NonNegative = Field(2.5, description="of each vLLM engine or server: compilation, graph capture")
    step_seconds: NonNegative = Field(2.0, description="of a rollout step, between its phases: rules, sampling, logs")
    engine_step_seconds: NonNegative = Field(
        8.0, description="of a rollout step with vLLM: weights, wake, sleep, probe"
    )
    prompt_tokens: PositiveInt = Field(256, description="of a question under its template")
    judge_tokens: PositiveInt = Field(700, description="of a question to a judge: instruction, question, last line")
    response_tokens: PositiveInt = Field(
        1500, description="mean response where the limit allows it: 1,000 to 1,750 at 7B (2505.22617, Fig. 11)"
    )
    response_tokens_of: dict[Name, PositiveInt] = Field(
        default_factory=dict, description="the same by policy, where one is known to say more or less"
    )
    response_share: Share = Field(0.5, description="of max_tokens, at most, that a mean response takes")
    longest_response: PositiveFloat = Field(
        4.0, description="longest response of a batch in means: a log-normal with sigma 0.6 has 4.4 among 256"
    )
    refill: PositiveFloat = Field(
        2.0, description="batches of a step that refills dropped groups: whole ones, and about half of all groups stay"
    )
    overhead_gb: NonNegative = Field(5.0, description="of a GPU: CUDA context, NCCL buffers, fragmentation")
    asleep_gb: NonNegative = Field(2.0, description="what a sleeping vLLM engine keeps on its GPU: graphs, context")
    vllm_share: Share = Field(
        0.9, description="of a GPU that a vLLM engine takes which has it for itself (its default)"
    )
    offload_slowdown: PositiveFloat = Field(
        1.3, description="of an update whose optimiser states or weights live in the host's memory"
    )

    @property
    def peak(self) -> float:
        """bf16 FLOP/s."""
        return TERA * (self.tflops or GPUS[self.gpu].tflops)

    @property
    def peak_fp32(self) -> float:
        """fp32 FLOP/s without tensor cores, as PyTorch multiplies fp32 matrices."""
        return TERA * GPUS[self.gpu].tflops_fp32

    @property
    def peak_head(self) -> float:
        """FLOP/s at which logits are formed."""
        return TERA * self.head_tflops if self.head_tflops else self.peak_fp32

    @property
    def bandwidth(self) -> float:
        """Bytes a second."""
        return TERA * (self.bandwidth_tb or GPUS[self.gpu].bandwidth)

    @property
    def memory(self) -> float:
        """GB of one GPU."""
        return self.gpu_memory_gb or GPUS[self.gpu].memory
