"""Responses through a fused decoder: each token once, without padding but in the attention.

The tokens of a batch are cut into segments: each distinct prompt one, and each response one that follows its prompt;
or, where prompts are not shared, prompt and response together. All segments run through the layers side by side as one
long row. For the attention alone they are laid out as rows of a table, with the prompt's keys before the response's.
"""

from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F

from workflow_scripts.models.fused import FusedDecoder
from workflow_scripts.models.kernels import Gather
from workflow_scripts.rl.forward import Hidden, distinct_prompts

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


def hidden_of_segments(
    decoder: FusedDecoder, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor, shared: bool
) -> Hidden:
    """Hidden states that predict response `tokens` (B, T) under `mask`. `shared`: each distinct prompt runs once."""
    lengths = mask.sum(dim=-1).tolist()
    read = [row[: max(0, length - 1)] for row, length in zip(tokens.tolist(), lengths, strict=True)]
    cut = _shared if shared else _whole
    parts, segments, first, later = cut(prompts, read)
    rows, places = np.nonzero(mask.numpy())
    states = decoder.hidden(
        torch.tensor(list(chain.from_iterable(parts))),
        torch.from_numpy(segments.positions()),
        Layout(segments, decoder).attend,
        torch.from_numpy(np.where(places == 0, first[rows], later[rows] + places)),
    )
    return Hidden(states, torch.from_numpy(rows), torch.from_numpy(places))


# Both return the segments' tokens, the segments, and per response where the states stand that predict its first token,
# and its token t > 0 less t.
def _whole(prompts: list[list[int]], read: list[list[int]]) -> tuple[list[list[int]], Segments, np.ndarray, np.ndarray]:
    parts = [prompt + response for prompt, response in zip(prompts, read, strict=True)]
    segments = _side_by_side(parts, np.arange(len(parts)))
    ends = segments.starts + [len(prompt) - 1 for prompt in prompts]
    return parts, segments, ends, ends


def _shared(
    prompts: list[list[int]], read: list[list[int]]
) -> tuple[list[list[int]], Segments, np.ndarray, np.ndarray]:
    distinct, prompt_of = distinct_prompts(prompts)
    longer = [row for row, response in enumerate(read) if response]  # one token alone is predicted by the prompt
    parts = distinct + [read[row] for row in longer]
    segments = _side_by_side(parts, np.array([*range(len(distinct)), *(prompt_of[row] for row in longer)]))
    first = (segments.starts + segments.lengths - 1)[prompt_of]
    later = np.zeros(len(read), dtype=np.int64)
    later[longer] = segments.starts[len(distinct) :] - 1
    return parts, segments, first, later


def _side_by_side(parts: list[list[int]], before: np.ndarray) -> Segments:
    lengths = np.array([len(part) for part in parts])
    return Segments(lengths, np.cumsum(lengths) - lengths, before)
