"""Keys and values of slots: a fixed number of rows of fixed room, written in place.

A cache that grows copies itself at every token, and one that is allocated anew touches fresh memory: for a small model
either costs more than its arithmetic. Place p of a slot holds token p of its sequence, so that slots of any age run
together.
"""

from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin


class SlotLayer(CacheLayerMixin):
    """Keys and values of one layer, (slots, heads, room, size) each."""

    def __init__(self, cache: "SlotCache") -> None:
        super().__init__()
        self.cache = cache

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys, self.values = (
            # places that nobody has written to are masked, and must be finite for that
            part.new_zeros(self.cache.slots, part.shape[1], self.cache.room, part.shape[-1])
            for part in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of prompts (G, heads, W, size): store them in the slots of their samples and return them as they are. Of one
        token of each row (n, heads, 1, size): store it and return the first `bound` places of the first n slots.
        """
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        cache, found = self.cache, []
        for whole, part in ((self.keys, key_states), (self.values, value_states)):
            if cache.samples:
                groups, _, width, _ = part.shape
                slots = whole[cache.start : cache.start + groups * cache.samples].unflatten(0, (groups, -1))
                slots[:, :, :, :width] = part[:, None]
                found.append(part)
            else:
                rows = len(part)
                whole[cache.rows[:rows], :, cache.positions] = part.squeeze(2)
                found.append(whole[:rows, :, : cache.bound])
        return found[0], found[1]

    def move(self, sources: torch.Tensor, targets: torch.Tensor, bound: int) -> None:
        for whole in (self.keys, self.values):
            whole[targets, :, :bound] = whole[sources, :, :bound]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return (query_length if self.cache.samples else self.cache.bound), 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return self.cache.room


class SlotCache(Cache):
    """The layers of a model, and what the pass that comes next stores."""

    def __init__(self, layers: int, slots: int, room: int, device: torch.device) -> None:
        """`room`: the places that a prompt and a response can take together."""
        super().__init__(layers=[SlotLayer(self) for _ in range(layers)])
        self.slots, self.room, self.rows = slots, room, torch.arange(slots, device=device)
        self.start = self.samples = self.bound = 0
        self.positions: torch.Tensor | None = None

    def for_prompts(self, start: int, samples: int) -> "SlotCache":
        """The next pass runs prompts, each for `samples` slots, the first one from slot `start` on."""
        self.start, self.samples = start, samples
        return self

    def for_tokens(self, positions: torch.Tensor, bound: int) -> "SlotCache":
        """The next pass runs one token of each of the first n slots, at `positions` (n,), all of them below `bound`."""
        self.positions, self.bound, self.samples = positions, bound, 0
        return self

    def move(self, sources: torch.Tensor, targets: torch.Tensor, bound: int) -> None:
        """Copy the first `bound` places of slots `sources` to slots `targets`."""
        for layer in self.layers:
            layer.move(sources, targets, bound)

    def bytes(self) -> int:
        """What it holds."""
        return sum(2 * layer.keys.nbytes for layer in self.layers if layer.is_initialized)
