"""Many sequences through a fused decoder: each token once, without padding but in the attention.

The tokens are cut into segments, of which one may follow another: a response its prompt, a question the instruction
that all begin with. All segments run through the layers side by side as one long row. For the attention alone they are
laid out as rows of a table, with the keys of the segment before in front of their own.
"""

from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F

from workflow_scripts.models.fused import FusedDecoder
from workflow_scripts.models.kernels import Gather

# Keys are padded to a multiple of the vector width: the softmax of a row of 15 takes longer than that of one of 16.
LANES = 16


@dataclass(frozen=True)
class Segments:
    """R segments of `lengths` tokens, whose first stands at `starts` in the row of all; `before` is the segment that
    each follows, itself where it follows none.
    """

    lengths: np.ndarray
    starts: np.ndarray
    before: np.ndarray

    @property
    def prefixes(self) -> np.ndarray:
        """Tokens (R,) before each segment."""
        return np.where(self.before == np.arange(len(self.before)), 0, self.lengths[self.before])

    def positions(self) -> np.ndarray:
        """Of each token in its sequence."""
        return np.arange(self.lengths.sum()) - np.repeat(self.starts - self.prefixes, self.lengths)


class Layout:
    """Where the attention finds each token: a table of queries (R, W) and one of keys (R, L)."""

    def __init__(self, segments: Segments, decoder: FusedDecoder) -> None:
        self._decoder = decoder
        lengths, prefixes, rows = segments.lengths[:, None], segments.prefixes[:, None], len(segments.lengths)
        self._width, longest = int(lengths.max()), int(prefixes.max())
        places = np.arange(self._width)
        own = np.where(places < lengths, segments.starts[:, None] + places, 0)
        before = np.arange(longest)
        prefix = np.where(before < prefixes, segments.starts[segments.before][:, None] + before, 0)
        spare = np.zeros((rows, -(longest + self._width) % LANES), dtype=np.int64)
        self._queries = torch.from_numpy(own.flatten())
        self._keys = torch.from_numpy(np.concatenate([prefix, own, spare], axis=1).flatten())
        self._answers = torch.from_numpy((np.arange(rows)[:, None] * self._width + places)[places < lengths])
        self._bias = _bias(prefixes, longest, self._width, spare.shape[1]) if longest else None

    def attend(self, queries: torch.Tensor, keys_and_values: torch.Tensor) -> torch.Tensor:
        """See `Attend`."""
        decoder, spare = self._decoder, len(queries) - len(self._answers)
        q = Gather.apply(queries, self._queries).view(-1, self._width, decoder.heads, decoder.size)
        both = Gather.apply(keys_and_values, self._keys).view(len(q), -1, 2, decoder.key_heads, decoder.size)
        mixed = F.scaled_dot_product_attention(
            q.transpose(1, 2),
            *(part.transpose(1, 2) for part in both.unbind(2)),
            attn_mask=self._bias,
            is_causal=self._bias is None,  # what is padded stands after all that a token may see
            enable_gqa=decoder.heads != decoder.key_heads,
        )
        return Gather.apply(mixed.transpose(1, 2).reshape(-1, queries.shape[1]), F.pad(self._answers, (0, spare)))


def _bias(prefixes: np.ndarray, longest: int, width: int, spare: int) -> torch.Tensor:
    """(R, 1, W, L), 0 where a query sees a key: of its prefix all, of its own segment those up to itself."""
    prefix = np.repeat((np.arange(longest) < prefixes)[:, None], width, axis=1)
    own = np.broadcast_to(np.tri(width, dtype=bool), (len(prefixes), width, width))
    seen = np.concatenate([prefix, own, np.zeros((len(prefixes), width, spare), dtype=bool)], axis=2)
    return torch.from_numpy(np.where(seen, np.float32(0), np.float32(-np.inf)))[:, None]


def side_by_side(parts: list[list[int]], before: np.ndarray) -> Segments:
    """The segments `parts`, one after the other; see `Segments` for `before`."""
    lengths = np.array([len(part) for part in parts])
    return Segments(lengths, np.cumsum(lengths) - lengths, before)


def hidden_of(decoder: FusedDecoder, parts: list[list[int]], segments: Segments, read: np.ndarray) -> torch.Tensor:
    """Hidden states (at least M, D) of the places `read` (M,) in the row of all tokens of `parts`, the segments."""
    tokens, positions = torch.tensor(list(chain.from_iterable(parts))), torch.from_numpy(segments.positions())
    return decoder.hidden(tokens, positions, Layout(segments, decoder).attend, torch.from_numpy(read))


def last_states(decoder: FusedDecoder, start: list[int], rows: list[list[int]]) -> torch.Tensor:
    """Hidden states (len(rows), D) of the last tokens of `rows`, which all follow the tokens `start`, if any."""
    parts = [start, *rows] if start else rows
    segments = side_by_side(parts, np.zeros(len(parts), dtype=np.int64) if start else np.arange(len(parts)))
    ends = (segments.starts + segments.lengths - 1)[len(parts) - len(rows) :]
    return hidden_of(decoder, parts, segments, ends)[: len(rows)]
