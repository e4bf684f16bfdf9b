"""Bytes on one GPU: what a training keeps, what a pass needs on top, and what an engine holds.

Counts follow the code that runs: rl/backends (mixed precision with fp32 master weights), rl/logprobs.py (the head in
fp32, logits in chunks), DeepSpeed 0.19 (ZeRO, Rajbhandari et al. 2020; its default bucket sizes). What a layer saves
for the backward pass is counted from the unfused Qwen2 layer of transformers with an attention kernel that keeps no
scores. All results are GB (1e9 bytes) by part.
"""

from dataclasses import dataclass

from workflow_scripts.planning.cost.networks import BYTES, Network

GB = 1e9
LIVE_PARAMETERS = 1.05e9  # stage3_max_live_parameters and stage3_prefetch_bucket_size
REDUCE_BUCKET = 5e8  # elements
CHUNK_LOGITS = 2**26  # rl/logprobs.py on a GPU
CHUNK_COPIES = 3  # logits, probabilities and their gradient
UNDER_WAY = 0.5  # of what a layer keeps: the gradients of its values while it is walked backwards
INPROCESS_ROWS, INPROCESS_CACHE = 512, 0.3  # generation/decoder.py: responses together; share of memory for the cache


@dataclass(frozen=True)
class Need:
    """What one GPU must hold at some moment, in GB by part; and what is offloaded to the host's memory."""

    model: str
    moment: str
    parts: dict[str, float]
    hints: tuple[str, ...] = ()
    host: float = 0.0  # GB of a node
    limit: float | None = None  # GB that it may take; None: the GPU's

    @property
    def total(self) -> float:
        return sum(self.parts.values())


def states(network: Network, settings: dict, ranks: int) -> tuple[dict[str, float], float]:
    """(parts on the GPU, GB on the host a rank) of weights, gradients and optimiser under a training backend.

    `settings`: backend, precision and, where given, offload. fp32 gradients (4 bytes a weight), moments (8) and, in
    DeepSpeed, master weights (4) beside those of the passes.
    """
    count, passes = network.parameters, BYTES[settings["precision"]]
    backend, offload = settings["backend"], settings.get("offload", "none")
    if backend == "single":  # fp32 weights are the master weights; autocast keeps what it has cast during a pass
        cast = 2 * count if settings["precision"] != "float32" else 0
        return _gb(weights=4 * count + cast, gradients=4 * count, optimiser=8 * count), 0.0
    weights = passes * count / (ranks if backend == "zero3" else 1)
    gradients, optimiser, host = 4 * count / ranks, 12 * count / ranks, 0.0
    if offload != "none":
        host, gradients, optimiser = gradients + optimiser, 0.0, 0.0
    if offload == "all":
        host, weights = host + weights, 0.0
    buffers = passes * min(count, REDUCE_BUCKET)
    if backend == "zero3":
        buffers += passes * min(count, LIVE_PARAMETERS)
    return _gb(weights=weights, gradients=gradients, optimiser=optimiser, buffers=buffers), host / GB


def activations(network: Network, settings: dict, longest: float, *, learning: bool = True) -> dict[str, float]:
    """Parts of one pass over a micro-batch; one response of `longest` tokens with its prompt is the least."""
    tokens, width = max(settings["micro_batch_tokens"], longest), BYTES[settings["precision"]]
    layer = tokens * saved_bytes(network, width)
    if not learning:
        kept = layer
    elif settings.get("activation_checkpointing"):
        kept = network.layers * tokens * network.width * width + (1 + UNDER_WAY) * layer
    else:
        kept = (network.layers + UNDER_WAY) * layer
    head = 4 * network.output * (2 if learning else 1) + CHUNK_COPIES * 4 * CHUNK_LOGITS
    return _gb(activations=kept, head=head)


def saved_bytes(network: Network, width: int) -> float:
    """Bytes a token that one layer keeps for its backward pass, at `width` bytes a value.

    Of each of two norms the input in fp32, the normalised and the scaled; query, key, value and attention's output;
    gate, its activation, up and their product. tests/unit/planning/test_memory.py counts them in a real layer.
    """
    norms = 2 * network.width * (4 + 2 * width)
    attention = 2 * network.head * (network.heads + network.kv_heads)
    return norms + width * (attention + 4 * network.mlp)


def whole(network: Network, precision: str, gpus: int = 1) -> float:
    """GB of a copy of the weights on each of `gpus` GPUs that share it."""
    return BYTES[precision] * network.parameters / gpus / GB


def cache(network: Network, precision: str, tokens: float) -> float:
    """GB of keys and values of so many tokens."""
    return tokens * network.kv_bytes(BYTES[precision]) / GB


def prefill(network: Network, precision: str, tokens: float) -> float:
    """GB of a forward pass without gradient over `tokens` tokens: one layer at a time, fullest inside its MLP."""
    return BYTES[precision] * tokens * (3 * network.mlp + 4 * network.width) / GB


def _gb(**parts: float) -> dict[str, float]:
    return {name: value / GB for name, value in parts.items() if value}
