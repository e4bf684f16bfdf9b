"""The layers of a Llama-family model (Qwen2, Qwen3, Llama) in few kernels, on the Hugging Face model's own weights.

Hugging Face's forward is written to be read and exchanged part by part: a small model spends more time between its
kernels than in them. Here query, key and value are one matrix product, and both rotations are one complex product.
Tokens are flat (N,), so that padding, packing and caches are the affair of one function, the attention that the caller
hands in:

    lean = lean_model(model)                                             # None: another architecture, use the model
    states = lean.hidden(tokens, lean.rotary(positions), attend)         # (N, D), without gradients
    attend(layer, query (N, H, size), key (N, K, size), value (N, K, size)) -> (N, H, size)

Queries and keys come rotated, their places reordered (pairs that turn together are neighbours): the same order in both,
so products of the two are what they were. Scores are to be divided by the root of `size`; query head h reads key head
h // (H / K). Weights must be whole on this process (not ZeRO-3) and are read at each call; who runs many calls on the
same weights takes `lean.weights()` once and hands it in. Taken in half precision, they are multiplied with in it, and
the sum over the layers and the norms keep the model's own precision, as under autocast.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional

from workflow_scripts.models.products import product

MODEL_TYPES = ("llama", "qwen2", "qwen3")
STATIC_ROPE = ("default", "linear", "llama3", "yarn")  # frequencies do not depend on the length of the sequence
MATRICES = ("qkv", "output", "gate", "up", "down")  # of LayerWeights

Attend = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class LayerWeights:
    """One layer: matrices (out, in), those of query, key and value joined; None: there is no such bias or norm."""

    norm: torch.Tensor
    qkv: torch.Tensor
    qkv_bias: torch.Tensor | None
    qk_norm: torch.Tensor | None  # (H + K, size)
    output: torch.Tensor
    output_bias: torch.Tensor | None
    mlp_norm: torch.Tensor
    gate: torch.Tensor  # not joined with `up`: it saves no time, and its gradient would have to be put together again
    gate_bias: torch.Tensor | None
    up: torch.Tensor
    up_bias: torch.Tensor | None
    down: torch.Tensor
    down_bias: torch.Tensor | None


def lean_model(model: Any) -> "LeanModel | None":
    """The lean forward of a Hugging Face causal language model; None where it is of a kind not written down here."""
    config = model.config
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    fits = (
        config.model_type in MODEL_TYPES
        and config.hidden_act == "silu"
        and rope.get("rope_type", "default") in STATIC_ROPE
        and rope.get("partial_rotary_factor", 1.0) == 1.0
        and set(kinds) == {"full_attention"}
        and not getattr(config, "attention_dropout", 0)
        # adapters and quantised layers compute something else
        and all(type(part) is torch.nn.Linear for layer in model.base_model.layers for part in _linear(layer))
    )
    return LeanModel(model) if fits else None


def _linear(layer: Any) -> list[Any]:
    attention, mlp = layer.self_attn, layer.mlp
    parts = (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj)
    return [*parts, mlp.gate_proj, mlp.up_proj, mlp.down_proj]


class LeanModel:
    def __init__(self, model: Any) -> None:
        self.base, config = model.base_model, model.config
        self.layers, self.width, self.epsilon = self.base.layers, config.hidden_size, config.rms_norm_eps
        self.size = self.layers[0].self_attn.head_dim
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads

    def weights(self, dtype: torch.dtype | None = None) -> list[LayerWeights]:
        """The weights of all layers as they are now; matrices and their biases in `dtype`, None: their own."""
        return [self.layer(index, dtype) for index in range(len(self.layers))]

    def layer(self, index: int, dtype: torch.dtype | None = None) -> LayerWeights:
        """Those of one layer."""
        found = self._joined(self.layers[index])
        matrices = {name: value for name, value in vars(found).items() if value is not None and "norm" not in name}
        return replace(found, **{name: value.to(dtype) for name, value in matrices.items()}) if dtype else found

    def rotary(self, positions: torch.Tensor) -> torch.Tensor:
        """The rotations (N, 1, size / 2), complex, of tokens at `positions` (N,)."""
        rotary = self.base.rotary_emb
        angles = positions[:, None, None].float() * rotary.inv_freq.to(positions.device).float()
        return torch.polar(torch.full_like(angles, rotary.attention_scaling), angles)

    def hidden(
        self,
        tokens: torch.Tensor,
        rotary: torch.Tensor,
        attend: Attend,
        weights: list[LayerWeights] | None = None,
    ) -> torch.Tensor:
        """Hidden states (N, D), after the last norm, of `tokens` (N,) whose rotations are `rotary`."""
        states = self.base.embed_tokens(tokens)
        for index, layer in enumerate(weights or self.weights()):
            query, key, value = self._project(self._norm(states, layer.norm), layer, rotary)
            mixed = attend(index, query, key, value).reshape(len(tokens), -1)
            states.add_(product(mixed, layer.output, layer.output_bias))
            inner = self._norm(states, layer.mlp_norm).to(layer.gate.dtype)
            gate = functional.silu(product(inner, layer.gate, layer.gate_bias))
            inner = gate.mul_(product(inner, layer.up, layer.up_bias))
            states.add_(product(inner, layer.down, layer.down_bias))
        return self._norm(states, self.base.norm.weight)

    def _project(self, states: torch.Tensor, layer: LayerWeights, rotary: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Rotated queries (N, H, size), rotated keys (N, K, size) and values (N, K, size)."""
        turned = self.heads + self.key_heads
        joined = product(states.to(layer.qkv.dtype), layer.qkv, layer.qkv_bias).view(len(states), -1, self.size)
        both, value = joined[:, :turned], joined[:, turned:]
        if layer.qk_norm is not None:
            both = functional.rms_norm(both, (self.size,), eps=self.epsilon) * layer.qk_norm
        pairs = torch.view_as_complex(both.float().unflatten(-1, (-1, 2)))  # no copy in single precision
        both = torch.view_as_real(pairs * rotary).flatten(-2).to(joined.dtype)
        return both[:, : self.heads], both[:, self.heads :], value

    def _norm(self, states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(states, (self.width,), weight, self.epsilon)

    def _joined(self, layer: Any) -> LayerWeights:
        attention, mlp = layer.self_attn, layer.mlp
        query, key, value = attention.q_proj, attention.k_proj, attention.v_proj
        normed, qk_norm = hasattr(attention, "q_norm"), None
        if normed:
            own, other = self._pairs(attention.q_norm.weight), self._pairs(attention.k_norm.weight)
            qk_norm = torch.cat([own.expand(self.heads, -1), other.expand(self.key_heads, -1)])
        biased = query.bias is not None
        return LayerWeights(
            norm=layer.input_layernorm.weight,
            qkv=torch.cat([self._pairs(query.weight), self._pairs(key.weight), value.weight]),
            qkv_bias=torch.cat([self._pairs(query.bias), self._pairs(key.bias), value.bias]) if biased else None,
            qk_norm=qk_norm,
            output=attention.o_proj.weight,
            output_bias=attention.o_proj.bias,
            mlp_norm=layer.post_attention_layernorm.weight,
            gate=mlp.gate_proj.weight,
            gate_bias=mlp.gate_proj.bias,
            up=mlp.up_proj.weight,
            up_bias=mlp.up_proj.bias,
            down=mlp.down_proj.weight,
            down_bias=mlp.down_proj.bias,
        )

    def _pairs(self, weight: torch.Tensor) -> torch.Tensor:
        """Rows of each head reordered: place i, which turns with i + size / 2, comes right before it."""
        return weight.unflatten(0, (-1, 2, self.size // 2)).transpose(1, 2).flatten(0, 2)
