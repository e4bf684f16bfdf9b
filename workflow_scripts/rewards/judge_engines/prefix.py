"""Keys and values of the tokens that all prompts begin with, computed once: the instruction of a judge's template."""

from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin


class PrefixLayer(CacheLayerMixin):
    """One layer's, (1, heads, tokens, head size). The first forward pass fills it; no later one changes it."""

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys, self.values = key_states, value_states
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The prefix and behind it what each row adds, which is not kept."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            return key_states, value_states
        rows = len(key_states)
        return (
            torch.cat([self.keys.expand(rows, -1, -1, -1), key_states], dim=2),
            torch.cat([self.values.expand(rows, -1, -1, -1), value_states], dim=2),
        )

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        return self.keys.shape[2] if self.is_initialized else 0

    def get_max_length(self) -> int:
        return -1


def empty_prefix(layers: int) -> Cache:
    """The cache of a model of so many layers, to be filled by a forward pass over the prefix."""
    return Cache(layers=[PrefixLayer() for _ in range(layers)])


def shared_length(prompts: list[list[int]]) -> int:
    """Tokens that all prompts begin with; at least one token of each is left over."""
    first, last = min(prompts), max(prompts)  # what these two share, all in between share
    most = min(map(len, prompts)) - 1
    return next((place for place in range(most) if first[place] != last[place]), most)
