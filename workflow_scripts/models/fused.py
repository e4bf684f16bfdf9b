"""A decoder of the Llama family (Llama, Qwen2) as it is trained on a CPU, in few large steps.

Queries, keys and values are one projection, and so are the two inputs of the feed-forward. All weights lie one after
the other in two buffers, of which the original model's parameters become views: an optimiser sees two tensors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from workflow_scripts.models.kernels import (
    Gather,
    Norm,
    NormAndProjections,
    OutputAndFeedForward,
    Rotation,
    rotation_table,
)
from workflow_scripts.models.lean import lean_model
from workflow_scripts.models.products import rounded

FUSED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
FAMILY = ("llama", "qwen2")

Named = list[tuple[str, torch.nn.Parameter]]

# attend(queries (N, heads * size), keys and values of one layer (N, 2 * key heads * size)) -> (N, heads * size)
Attend = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def fits(model: Any) -> bool:
    """Whether `FusedDecoder` computes what this model does: its family, in fp32 on a CPU, no bias but the queries'."""
    config, weight = model.config, model.get_output_embeddings().weight
    return (
        config.model_type in FAMILY
        and lean_model(model) is not None
        and weight.device.type == "cpu"
        and all(parameter.dtype == torch.float32 for parameter in model.parameters())
        and not getattr(config, "mlp_bias", False)
        and all(layer.self_attn.o_proj.bias is None for layer in model.base_model.layers)
    )


@dataclass(frozen=True)
class _Layer:
    norm: torch.Tensor
    projections: torch.Tensor
    bias: torch.Tensor | None
    output: torch.Tensor
    feed_norm: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


@dataclass(frozen=True)
class Place:
    """Where a parameter lies: `part` of the flattened `tensor` that an optimiser is given."""

    tensor: torch.nn.Parameter
    part: slice


class FlatParameters:
    """Parameters laid one after the other in two buffers, matrices and the rest; if they learn, with their gradients in
    two others.

    An optimiser is given the buffers, `tensors`, whose gradients must never be taken away: what autograd fills are
    views of them.
    """

    def __init__(self, matrices: list[Named], others: list[Named], learn: bool) -> None:
        """A list of each entry is fused along the first dimension and becomes one tensor, a leaf of autograd if it
        learns, in `leaves`, under the name of its first parameter.
        """
        self._learn = learn
        self.leaves: dict[str, torch.Tensor] = {}
        self.places: dict[str, Place] = {}
        # a column: weight decay is for what has two dimensions
        self.tensors = [self._lay(matrices, lambda flat: flat[:, None]), self._lay(others, lambda flat: flat)]

    def _lay(self, groups: list[Named], shape: Callable[[torch.Tensor], torch.Tensor]) -> torch.nn.Parameter:
        data = torch.cat([parameter.detach().flatten() for group in groups for _, parameter in group])
        buffer, start = torch.nn.Parameter(shape(data), requires_grad=self._learn), 0
        if self._learn:
            buffer.grad = torch.zeros_like(buffer)
        for group in groups:
            first, (name, one) = start, group[0]
            for member, parameter in group:
                part = slice(start, start + parameter.numel())
                parameter.data = data[part].view_as(parameter)
                self.places[member] = Place(buffer, part)
                start = part.stop
                if self._learn:
                    parameter.grad = buffer.grad.view(-1)[part].view_as(parameter)
            self.leaves[name] = leaf = data[first:start].view(-1, *one.shape[1:]).requires_grad_(self._learn)
            if self._learn:
                leaf.grad = buffer.grad.view(-1)[first:start].view_as(leaf)
        return buffer


class FusedDecoder:
    """The layers and the head of `model`, a decoder that `fits`."""

    def __init__(self, model: Any, learn: bool = True) -> None:
        """`learn`: whether gradients are wanted, which take as much memory as the weights."""
        config = model.config
        self._rotary, self._eps = model.base_model.rotary_emb, config.rms_norm_eps
        self._padding = model.get_input_embeddings().padding_idx  # the token whose embedding Hugging Face never trains
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.size = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self._table: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
        self.flat = FlatParameters(*_to_fuse(model), learn)
        leaves = self.flat.leaves
        self.embedding, self._norm = leaves["model.embed_tokens.weight"], leaves["model.norm.weight"]
        self.head = leaves.get("lm_head.weight", self.embedding)
        self._layers = [_layer(leaves, f"model.layers.{index}.") for index in range(config.num_hidden_layers)]

    def hidden(self, tokens: torch.Tensor, positions: torch.Tensor, attend: Attend, read: torch.Tensor) -> torch.Tensor:
        """Hidden states of `read` (M,), some of the `tokens` (N,), which stand at `positions` (N,).

        All are rounded up: `attend` gets more than N rows, and (at least M, D) are returned. The last layer runs its
        larger half on the tokens that are read and no other, two fifths of the work where a two-layer model is asked
        for a verdict.
        """
        count, widths = len(tokens), [self.heads * self.size, 2 * self.key_heads * self.size]
        spare = rounded(count) - count
        x = F.embedding(F.pad(tokens, (0, spare)), self.embedding, self._padding)
        rotation = self._rotation(F.pad(positions, (0, spare)))
        for layer in self._layers:
            projected = NormAndProjections.apply(
                x, layer.norm, self._eps, layer.projections, layer.bias, rotation, widths
            )
            attended = attend(*projected)
            if layer is self._layers[-1]:
                read = F.pad(read, (0, rounded(len(read)) - len(read)))
                x, attended = Gather.apply(x, read), Gather.apply(attended, read)
            feed_forward = layer.feed_norm, self._eps, layer.gate_up, layer.down
            x = OutputAndFeedForward.apply(x, attended, layer.output, *feed_forward)
        return Norm.apply(x, self._norm, self._eps)

    def _rotation(self, positions: torch.Tensor) -> Rotation:
        """Of tokens at `positions` (N,)."""
        last = int(positions.max())
        if self._table is None or len(self._table[0]) <= last:
            known = torch.arange(2 * (last + 1))
            cos, sin = self._rotary(self.embedding.detach(), known[None])
            self._table = rotation_table(cos[0], sin[0], self.heads + self.key_heads)
        cos, sin, partner = self._table
        return Rotation(cos.index_select(0, positions), sin.index_select(0, positions), partner)


def _layer(leaves: dict[str, torch.Tensor], prefix: str) -> _Layer:
    return _Layer(
        norm=leaves[prefix + "input_layernorm.weight"],
        projections=leaves[prefix + "self_attn.q_proj.weight"],
        bias=leaves.get(prefix + "self_attn.q_proj.bias"),
        output=leaves[prefix + "self_attn.o_proj.weight"],
        feed_norm=leaves[prefix + "post_attention_layernorm.weight"],
        gate_up=leaves[prefix + "mlp.gate_proj.weight"],
        down=leaves[prefix + "mlp.down_proj.weight"],
    )


def _to_fuse(model: Any) -> tuple[list[Named], list[Named]]:
    """The matrices and all other parameters, those that are fused in one entry."""
    groups: dict[str, Named] = {}
    for name, parameter in model.named_parameters():
        first = name
        for members in FUSED:
            for member in members:
                first = first.replace(member, members[0])
        groups.setdefault(first, []).append((name, parameter))
    matrices = [group for group in groups.values() if group[0][1].dim() >= 2]
    return matrices, [group for group in groups.values() if group[0][1].dim() < 2]
