"""What the hardware would need for a step at best: floating-point operations of the matrix products, bytes of decoding.

Only useful work is counted: a prompt once for all samples of its group, no padding, no token that nobody reads, and the
head only where a response token is predicted. A product of (m, k) and (k, n) is 2mkn operations.
"""

from dataclasses import dataclass
from typing import Any

LOGIT_BYTES = 14  # moved per logit of a decode step: written, read and reduced (reference study, section 6.2)


@dataclass(frozen=True)
class Shape:
    """The matrices of a Llama or Qwen2 model."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    mlp: int
    vocabulary: int

    @classmethod
    def of(cls, config: Any) -> "Shape":
        """From a Hugging Face config."""
        return cls(
            layers=config.num_hidden_layers,
            width=config.hidden_size,
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_size=getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
            mlp=config.intermediate_size,
            vocabulary=config.vocab_size,
        )

    @property
    def body(self) -> int:
        """Weights of the layers' matrices: query, key, value, output, and the three of the MLP."""
        attention = self.width * self.head_size * (2 * self.heads + 2 * self.kv_heads)
        return self.layers * (attention + 3 * self.width * self.mlp)

    @property
    def head(self) -> int:
        """Weights of the language-model head."""
        return self.width * self.vocabulary

    def kv_bytes(self, element: int = 2) -> int:
        """Bytes of one token's keys and values in the cache."""
        return 2 * self.layers * self.kv_heads * self.head_size * element


def forward_flops(shape: Shape, *, tokens: int, pairs: int, predicted: int) -> int:
    """Operations of a forward pass over `tokens`, with `pairs` (token, visible token) in attention and logits at
    `predicted` places."""
    attention = 4 * shape.layers * shape.heads * shape.head_size * pairs
    return 2 * shape.body * tokens + attention + 2 * shape.head * predicted


def responses_flops(shape: Shape, prompts: list[int], samples: int, lengths: list[int]) -> int:
    """Operations of one forward pass over responses of `lengths`, `samples` of them after each of the prompts (lengths
    in tokens). Sampling them with a cache takes as many: each token is read once, the last of a response never."""
    if len(lengths) != len(prompts) * samples:
        raise ValueError(f"{len(lengths)} responses are not {samples} to each of {len(prompts)} prompts")
    tokens, pairs = sum(prompts), sum(prompt * (prompt + 1) // 2 for prompt in prompts)
    for row, length in enumerate(lengths):
        read = length - 1
        tokens += read
        pairs += read * prompts[row // samples] + read * (read + 1) // 2
    return forward_flops(shape, tokens=tokens, pairs=pairs, predicted=sum(lengths))


def step_flops(shape: Shape, prompts: list[int], samples: int, lengths: list[int], *, old_pass: bool) -> int:
    """Of a GRPO step: sampling 1 x forward, training 3 x (forward, and twice as much backward), old log-probabilities
    1 x where they take a pass of their own."""
    return (4 + old_pass) * responses_flops(shape, prompts, samples, lengths)


def peak_share(flops: float, seconds: float, peak: float) -> float:
    """Model FLOPs utilisation: useful operations over what `peak` FLOP/s could have done in that time."""
    return flops / (seconds * peak)


def decode_seconds(shape: Shape, rows: int, context: float, *, bandwidth: float, peak: float) -> float:
    """The least time of one decode step in bf16 (reference study, section 6.2): weights are read, or the products done,
    whichever takes longer; then each row's cache of `context` tokens is read; then the logits are sampled from.

    `bandwidth` in bytes/s, `peak` in FLOP/s.
    """
    weights = shape.body + shape.head
    products = max(2 * weights / bandwidth, 2 * weights * rows / peak)
    cache = rows * context * shape.kv_bytes() / bandwidth
    return products + cache + rows * shape.vocabulary * LOGIT_BYTES / bandwidth


def generation_seconds(
    shape: Shape, prompts: list[int], samples: int, lengths: list[int], *, bandwidth: float, peak: float
) -> float:
    """The least time to sample responses of `lengths`: the prompts once, then a step per token of all that run."""
    prefill = (
        forward_flops(shape, tokens=sum(prompts), pairs=sum(p * (p + 1) // 2 for p in prompts), predicted=0) / peak
    )
    mean_prompt = sum(prompts) / len(prompts)
    steps = 0.0
    for t in range(max(lengths)):
        rows = sum(length > t for length in lengths)
        steps += decode_seconds(shape, rows, mean_prompt + t, bandwidth=bandwidth, peak=peak)
    return prefill + steps
