"""Keys and values of prompts, computed once and read by all their responses, with gradients.

The samples of a prompt differ only after it. Their training pass therefore runs each distinct prompt once and attends
to its keys and values; autograd adds up what the samples send back.
"""

from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin


class PrefixLayer(CacheLayerMixin):
    """Of one layer: first stores the prompts' keys and values (G, heads, P, size), then puts rows of them before
    others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: torch.Tensor | None = None

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.keys, self.values, self.is_initialized = key_states, value_states, True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.rows is None:
            self.lazy_initialization(key_states, value_states)
            return key_states, value_states
        keys = torch.cat([self.keys.index_select(0, self.rows), key_states], dim=-2)
        return keys, torch.cat([self.values.index_select(0, self.rows), value_states], dim=-2)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        return 0 if self.rows is None else self.keys.shape[-2]

    def get_max_length(self) -> int:
        return -1


class PrefixCache(Cache):
    """The prompts' keys and values in all layers of a model."""

    def __init__(self, layers: int) -> None:
        super().__init__(layers=[PrefixLayer() for _ in range(layers)])

    def read_by(self, rows: torch.Tensor) -> "PrefixCache":
        """From now on each pass of len(rows) sequences comes after these prompts."""
        for layer in self.layers:
            layer.rows = rows
        return self
