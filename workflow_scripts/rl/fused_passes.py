"""Passes through the layers of a fused decoder."""

import torch
import torch.nn.functional as F

from workflow_scripts.models.fused import FusedDecoder
from workflow_scripts.rl.forward import after_prompts, positions_after

# Keys are padded to a multiple of the vector width: the softmax of a row of 15 takes longer than that of one of 16.
LANES = 16


class FusedPasses:
    """See `Passes`."""

    def __init__(self, decoder: FusedDecoder) -> None:
        self._decoder = decoder
        self._prefix: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}  # layer -> keys, values (G, P, heads, size)

    def whole(self, rows: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(rows.shape[1]).expand_as(rows)
        return self._decoder.hidden(rows, positions, lambda layer, q, k, v: _attention(q, k, v, None), read)

    def prompts(self, rows: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
        def attend(layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            self._prefix[layer] = k, v
            return _attention(q, k, v, None)

        positions = torch.arange(rows.shape[1]).expand_as(rows)
        return self._decoder.hidden(rows, positions, attend, read)

    def responses(
        self, tokens: torch.Tensor, group: torch.Tensor, ends: torch.Tensor, read: torch.Tensor
    ) -> torch.Tensor:
        seen = after_prompts(tokens.shape[1], group, ends)
        bias = torch.zeros(seen.shape).masked_fill_(~seen, -torch.inf)
        bias = F.pad(bias, (0, -bias.shape[-1] % LANES), value=-torch.inf)

        def attend(layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            keys, values = self._prefix[layer]
            k = torch.cat([keys.index_select(0, group), k], dim=1)
            return _attention(q, k, torch.cat([values.index_select(0, group), v], dim=1), bias)

        return self._decoder.hidden(tokens, positions_after(tokens, group, ends), attend, read)


def _attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Of queries (B, S, heads, size), keys and values (B, L, key heads, size) to (B, S, heads * size).

    `bias` (B, 1, S, L') is added to the scores, L' being L rounded up; None: causal, with S = L.
    """
    padding = (0, 0, 0, 0, 0, -k.shape[1] % LANES)  # a causal query sees no key beyond its own place
    q, k, v = q.transpose(1, 2), F.pad(k, padding).transpose(1, 2), F.pad(v, padding).transpose(1, 2)
    grouped = q.shape[1] != k.shape[1]
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=bias is None, enable_gqa=grouped)
    return mixed.transpose(1, 2).flatten(2)
