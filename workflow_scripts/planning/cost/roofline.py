"""Seconds of the three kinds of work on GPUs: reading tokens, generating them, and learning from them.

Roofline (Williams et al. 2009): a pass takes the longest of its FLOPs over the FLOP/s and its bytes over the bandwidth.
Peaks are multiplied by the shares that programs reach (`Hardware`).
"""

from dataclasses import dataclass, replace

from workflow_scripts.config.hardware import Hardware
from workflow_scripts.planning.cost.networks import BYTES, Network


@dataclass(frozen=True)
class Batch:
    """Sequences of a prompt and a response, in tokens; the longest response among them, and the limit of all."""

    sequences: float
    prompt: float
    response: float
    longest: float
    limit: float = 0

    def part(self, parts: int) -> "Batch":
        """What one of several gets that share it; at least one sequence."""
        return replace(self, sequences=max(1.0, self.sequences / parts))

    @property
    def tokens(self) -> float:
        return self.sequences * (self.prompt + self.response)

    @property
    def outputs(self) -> float:
        return self.sequences * self.response

    @property
    def context(self) -> float:
        """Tokens that a token attends to, in the mean."""
        return (self.prompt + self.response) / 2


def reading(network: Network, hardware: Hardware, tokens: float, context: float, precision: str, gpus: int) -> float:
    """Seconds to run `tokens` forward through the layers on `gpus` GPUs, as a judge reads its prompts."""
    return tokens * network.flops(context) / (gpus * _peak(hardware, precision) * hardware.prefill_mfu)


def scoring(network: Network, hardware: Hardware, batch: Batch, precision: str, gpus: int) -> float:
    """Seconds of log-probabilities of all response tokens: layers for all tokens, the head for responses."""
    layers = reading(network, hardware, batch.tokens, batch.context, precision, gpus)
    return layers + _head(network, hardware, batch.outputs, gpus)


def learning(
    network: Network, hardware: Hardware, batch: Batch, precision: str, gpus: int, *, recompute: bool
) -> float:
    """Seconds of forward and backward: three forward passes, a fourth where activations are computed again.

    The head forms its logits twice and multiplies by two matrices for its gradients (rl/logprobs.py): four passes.
    """
    layers = batch.tokens * network.flops(batch.context) / (gpus * _peak(hardware, precision) * hardware.train_mfu)
    return (4 if recompute else 3) * layers + 4 * _head(network, hardware, batch.outputs, gpus)


@dataclass(frozen=True)
class Decoder:
    """An engine that generates: `gpus` GPUs hold one copy of the weights and have `cache` bytes for keys and values."""

    network: Network
    hardware: Hardware
    precision: str
    gpus: int
    cache: float
    eager: bool

    def seconds(self, batch: Batch) -> float:
        """Reading the prompts; the mean response with all that run together; the longest one to its end, alone."""
        fitting = self.cache / ((batch.prompt + batch.response) * self._kv)
        together = max(1.0, min(batch.sequences, fitting))
        prompts = batch.sequences * batch.prompt
        read = reading(self.network, self.hardware, prompts, batch.prompt / 2, self.precision, self.gpus)
        bulk = batch.sequences / together * batch.response * self.step(together, batch.prompt + batch.response / 2)
        tail = (batch.longest - batch.response) * self.step(1, batch.longest)
        return read + bulk + tail

    def step(self, sequences: float, context: float) -> float:
        """Seconds of one token of `sequences` sequences that have `context` tokens each."""
        weights = self.network.matrices + self.network.output
        peak = self.gpus * _peak(self.hardware, self.precision)
        bandwidth = self.gpus * self.hardware.bandwidth
        weight_bound = weights * BYTES[self.precision] / bandwidth
        flop_bound = sequences * (self.network.flops(context) + self.network.head_flops) / peak
        roof = max(weight_bound, flop_bound) + sequences * context * self._kv / bandwidth
        launches = self.network.layers * self.hardware.eager_layer_ms / 1000 if self.eager else 0.0
        return max(roof / self.hardware.decode_efficiency, launches)

    @property
    def _kv(self) -> float:
        return self.network.kv_bytes(BYTES[self.precision])


def _peak(hardware: Hardware, precision: str) -> float:
    return hardware.peak_fp32 if precision == "float32" else hardware.peak


def _head(network: Network, hardware: Hardware, outputs: float, gpus: int) -> float:
    return outputs * network.head_flops / (gpus * hardware.peak_head * hardware.head_efficiency)
