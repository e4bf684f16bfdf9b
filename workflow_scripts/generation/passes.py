"""The two passes of decoding over a cache of slots: prompts, then one token of every row.

Models of the Llama family run in the lean forward, all others in Hugging Face's own.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch.nn import functional

from workflow_scripts.generation.cache import SlotCache
from workflow_scripts.models.lean import MATRICES, LayerWeights, LeanModel, lean_model
from workflow_scripts.models.products import packed, packs, product, rounded


class Passes(Protocol):
    captures: bool  # whether a pass over tokens can be captured as a CUDA graph
    place_bytes: int  # that one token's keys and values take in all layers

    def refresh(self, room: int) -> bool:
        """Read the weights anew; positions will be below `room`. Whether a captured graph would now read old memory."""
        ...

    def prompts(self, prompts: list[list[int]], cache: SlotCache) -> torch.Tensor:
        """Last hidden states (G, D) of G prompts, whose keys and values are stored."""
        ...

    def tokens(self, tokens: torch.Tensor, positions: torch.Tensor, cache: SlotCache) -> torch.Tensor:
        """Hidden states (n, D) of `tokens` (n,) at `positions` (n,) of the first n slots."""
        ...

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """What the head says (n, V) of hidden states (n, D)."""
        ...


def passes_of(model: Any, dtype: torch.dtype | None = None) -> Passes:
    """The passes that a Hugging Face causal language model can run: with matrices in `dtype` where they are lean, else
    in the model's own.
    """
    lean = lean_model(model)
    return HuggingFacePasses(model) if lean is None else LeanPasses(lean, model.get_output_embeddings(), dtype)


class LeanPasses:
    captures = True

    def __init__(self, lean: LeanModel, head: torch.nn.Linear, dtype: torch.dtype | None = None) -> None:
        """`dtype`: the matrices are copied to it when weights are read, so that a step reads no more bytes; None: the
        model's own. Those in single precision on a CPU are packed.
        """
        self.lean, self.head, self.device, self.dtype = lean, head, lean.base.device, dtype or lean.base.dtype
        self.place_bytes = 2 * len(lean.layers) * lean.key_heads * lean.size * self.dtype.itemsize
        self._packs = packs(self.dtype, self.device)
        self._weights, self._head, self._rotary, self._read = [], (head.weight, head.bias), torch.empty(0), None

    def refresh(self, room: int) -> bool:
        """See `Passes`; where the parameters lie where they lay, copies that a graph may read are written in place."""
        own = [*self.lean.base.parameters(), *self.head.parameters()]
        read = (max(room, len(self._rotary)), *(parameter.data_ptr() for parameter in own))
        moved = read != self._read
        if moved:
            self._rotary = self.lean.rotary(torch.arange(read[0], device=self.device))
        count = len(self.lean.layers)
        if moved or self._packs:
            self._weights = []  # old copies go before there are new ones
            self._weights = [self._read_layer(index) for index in range(count)]
            self._head, self._read = self._read_head(), read
        else:
            for index in range(count):
                _renew(vars(self._weights[index]).values(), vars(self._read_layer(index)).values())
            _renew(self._head, self._read_head())
        return moved

    def prompts(self, prompts: list[list[int]], cache: SlotCache) -> torch.Tensor:
        """Without padding, but for the attention, and for a number of rows that comes again."""
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        groups, width = len(prompts), max(map(len, prompts))
        flat = torch.tensor([token for prompt in prompts for token in prompt], device=self.device)
        row = torch.arange(groups, device=self.device).repeat_interleave(lengths, output_size=len(flat))
        ends = lengths.cumsum(0)
        place = torch.arange(len(flat), device=self.device) - (ends - lengths)[row]
        spare = rounded(len(flat)) - len(flat)

        def attend(layer: int, *heads: torch.Tensor) -> torch.Tensor:
            padded = [part.new_zeros(groups, part.shape[1], width, part.shape[2]) for part in heads]
            for whole, part in zip(padded, heads, strict=True):
                whole[row, :, place] = part[: len(row)]
            query, key, value = padded
            cache.update(key, value, layer)
            shared = query.shape[1] // key.shape[1]  # repeated: not every kernel reads a key head for several queries
            key, value = key.repeat_interleave(shared, dim=1), value.repeat_interleave(shared, dim=1)
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            return functional.pad(mixed[row, :, place], (0, 0, 0, 0, 0, spare))

        flat, place_of_each = functional.pad(flat, (0, spare)), functional.pad(place, (0, spare))
        return self.lean.hidden(flat, self._rotary[place_of_each], attend, self._weights)[ends - 1]

    def tokens(self, tokens: torch.Tensor, positions: torch.Tensor, cache: SlotCache) -> torch.Tensor:
        mask = _mask(positions, cache.bound)

        def attend(layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            grouped = query.unflatten(1, (key.shape[1], -1))  # the queries of one key head are rows of one product
            keys, values = cache.update(key[:, :, None], value[:, :, None], layer)
            return _attention(grouped, keys, values, mask)

        return self.lean.hidden(tokens, self._rotary[positions], attend, self._weights)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """In single precision, as the trainer's: rounded ones put log-probabilities half as far again from its."""
        weight, bias = self._head
        states = states.to(weight.dtype)
        if weight.dtype == torch.float32:
            return product(states, weight, bias)
        logits = torch.mm(states, weight.t(), out_dtype=torch.float32)
        return logits if bias is None else logits.add_(bias)

    def _read_layer(self, index: int) -> LayerWeights:
        found = self.lean.layer(index, self.dtype)
        return replace(found, **{name: packed(getattr(found, name)) for name in MATRICES}) if self._packs else found

    def _read_head(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """A CPU has no product of half precision whose result is single."""
        dtype = torch.float32 if self.device.type == "cpu" else self.dtype
        weight, bias = self.head.weight.to(dtype), None if self.head.bias is None else self.head.bias.to(dtype)
        return packed(weight) if self._packs else weight, bias


class HuggingFacePasses:
    captures = False

    def __init__(self, model: Any) -> None:
        self.model, self.device, self._head = model, model.device, model.get_output_embeddings()
        config = model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.place_bytes = 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize

    def refresh(self, room: int) -> bool:
        """The model reads its own weights."""
        return False

    def prompts(self, prompts: list[list[int]], cache: SlotCache) -> torch.Tensor:
        """Padded on the right, where causal attention needs no mask: padding follows all that counts."""
        width = max(map(len, prompts))
        tokens = torch.tensor([prompt + [0] * (width - len(prompt)) for prompt in prompts], device=self.device)
        causal = torch.ones(width, width, dtype=torch.bool, device=self.device).tril()
        states = self._run(tokens, causal.expand(len(prompts), 1, -1, -1), torch.arange(width)[None], cache)
        return states[torch.arange(len(prompts)), [len(prompt) - 1 for prompt in prompts]]

    def tokens(self, tokens: torch.Tensor, positions: torch.Tensor, cache: SlotCache) -> torch.Tensor:
        visible = torch.arange(cache.bound, device=self.device) <= positions[:, None]
        return self._run(tokens[:, None], visible[:, None, None], positions[:, None], cache)[:, 0]

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        return product(states, self._head.weight, self._head.bias)

    def _run(self, tokens: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: SlotCache) -> torch.Tensor:
        output = self.model.base_model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions.to(self.device),
            past_key_values=cache,
            use_cache=True,
        )
        return output.last_hidden_state


def _renew(kept: Iterable[torch.Tensor | None], fresh: Iterable[torch.Tensor | None]) -> None:
    """Write what the weights are now over copies of them."""
    for old, new in zip(kept, fresh, strict=True):
        if old is not None and old.data_ptr() != new.data_ptr():
            old.copy_(new)


def _mask(positions: torch.Tensor, bound: int) -> torch.Tensor:
    """What is added to scores, (n, 1, 1, bound): minus infinity after the row's own position."""
    later = torch.arange(bound, device=positions.device) > positions[:, None]
    return torch.zeros(later.shape, device=positions.device).masked_fill_(later, -torch.inf)[:, None, None]


def _attention(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Of `query` (n, K, g, size), `keys` and `values` (n, K, bound, size); the result is shaped like `query`.

    With one token a row, a CPU is faster with two plain products than with torch's fused kernel (by 1.2 to 1.7).
    """
    mask = mask.to(query.dtype)
    if query.device.type != "cpu":
        return functional.scaled_dot_product_attention(query, keys, values, mask)
    scores = torch.matmul(query * query.shape[-1] ** -0.5, keys.transpose(-1, -2)).add_(mask)
    return torch.matmul(torch.softmax(scores, dim=-1), values)
