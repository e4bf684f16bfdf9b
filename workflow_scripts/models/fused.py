"""A decoder of the Llama family (Llama, Mistral, Qwen2) run by few large steps, on the weights of the original.

Queries, keys and values are one projection, and so are the two inputs of the feed-forward. All weights lie one after
the other in two buffers, of which the original model's parameters become views: an optimiser sees two tensors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from workflow_scripts.models.kernels import Norm, NormAndProjections, OutputAndFeedForward, Rotation, rotation_table
from workflow_scripts.models.products import rounded

FUSED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
FAMILY = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM")

Named = list[tuple[str, torch.nn.Parameter]]

# attend(layer, queries (B, S, heads, size), keys and values (B, S, key heads, size)) -> (B, S, heads * size)
Attend = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def fits(model: Any) -> bool:
    """Whether `FusedDecoder` computes what this model does: its family, fp32 on a CPU, nothing out of the ordinary."""
    config, weight = model.config, model.get_output_embeddings().weight
    windows = getattr(config, "use_sliding_window", getattr(config, "sliding_window", None))
    return (
        type(model).__name__ in FAMILY
        and weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and config.hidden_act == "silu"
        and not (windows or config.attention_dropout or getattr(config, "mlp_bias", False))
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
    """Parameters laid one after the other in two buffers, matrices and the rest, with their gradients in two others.

    An optimiser is given the buffers, `tensors`, whose gradients must never be taken away: what autograd fills are
    views of them.
    """

    def __init__(self, matrices: list[Named], others: list[Named]) -> None:
        """A list of each entry is fused along the first dimension and becomes one leaf of autograd, in `leaves`, under
        the name of its first parameter.
        """
        self.leaves: dict[str, torch.Tensor] = {}
        self.places: dict[str, Place] = {}
        # a column: weight decay is for what has two dimensions
        self.tensors = [self._lay(matrices, lambda flat: flat[:, None]), self._lay(others, lambda flat: flat)]

    def _lay(self, groups: list[Named], shape: Callable[[torch.Tensor], torch.Tensor]) -> torch.nn.Parameter:
        data = torch.cat([parameter.detach().flatten() for group in groups for _, parameter in group])
        buffer = torch.nn.Parameter(shape(data))
        buffer.grad = torch.zeros_like(buffer)
        start = 0
        for group in groups:
            first, (name, one) = start, group[0]
            for member, parameter in group:
                part = slice(start, start + parameter.numel())
                parameter.data = data[part].view_as(parameter)
                parameter.grad = buffer.grad.view(-1)[part].view_as(parameter)
                self.places[member] = Place(buffer, part)
                start = part.stop
            leaf = data[first:start].view(-1, *one.shape[1:]).requires_grad_()
            leaf.grad = buffer.grad.view(-1)[first:start].view_as(leaf)
            self.leaves[name] = leaf
        return buffer


class FusedDecoder:
    """The layers and the head of `model`, a decoder that `fits`."""

    def __init__(self, model: Any) -> None:
        config = model.config
        self._rotary, self._eps = model.base_model.rotary_emb, config.rms_norm_eps
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.size = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self._table: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
        self.flat = FlatParameters(*_to_fuse(model))
        leaves = self.flat.leaves
        self.embedding, self._norm = leaves["model.embed_tokens.weight"], leaves["model.norm.weight"]
        self.head = leaves.get("lm_head.weight", self.embedding)
        self._layers = [_layer(leaves, f"model.layers.{index}.") for index in range(config.num_hidden_layers)]

    def hidden(self, tokens: torch.Tensor, positions: torch.Tensor, attend: Attend, read: torch.Tensor) -> torch.Tensor:
        """Hidden states of the places `read` of the flattened `tokens` (B, S), which stand at `positions` (B, S).

        (at least len(read), D): rows beyond are padding. The last layer runs its larger half on the places that are
        read and no other, which saves two fifths of the work of a two-layer model that is asked for a verdict.
        """
        count, widths = tokens.numel(), [heads * self.size for heads in (self.heads, self.key_heads, self.key_heads)]
        spare = rounded(count) - count
        x = F.embedding(F.pad(tokens.flatten(), (0, spare)), self.embedding)
        rotation = self._rotation(F.pad(positions.flatten(), (0, spare)))
        for index, layer in enumerate(self._layers):
            rotated = NormAndProjections.apply(
                x, layer.norm, self._eps, layer.projections, layer.bias, rotation, widths
            )
            heads = (part[:count].view(*tokens.shape, -1, self.size) for part in rotated)
            attended = attend(index, *heads).view(count, -1)
            if index < len(self._layers) - 1:
                attended = F.pad(attended, (0, 0, 0, spare)) if spare else attended
            else:
                read = F.pad(read, (0, rounded(len(read)) - len(read)))
                x, attended = x.index_select(0, read), attended.index_select(0, read)
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
