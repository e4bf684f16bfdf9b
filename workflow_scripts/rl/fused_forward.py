"""Hidden states that predict response tokens, through a fused decoder: each prompt and each response is a segment."""

import numpy as np
import torch

from workflow_scripts.models.fused import FusedDecoder
from workflow_scripts.models.segments import Segments, hidden_of, side_by_side
from workflow_scripts.rl.forward import Hidden, distinct_prompts


def fused_hidden(
    decoder: FusedDecoder, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor, shared: bool
) -> Hidden:
    """Hidden states that predict response `tokens` (B, T) under `mask`. `shared`: each distinct prompt runs once."""
    lengths = mask.sum(dim=-1).tolist()
    read = [row[: max(0, length - 1)] for row, length in zip(tokens.tolist(), lengths, strict=True)]
    cut = _shared if shared else _whole
    parts, segments, first, later = cut(prompts, read)
    rows, places = np.nonzero(mask.numpy())
    # a response's first token is predicted by the end of its prompt, each other one by the one before it
    wanted = np.where(places == 0, first[rows], later[rows] + places)
    states = hidden_of(decoder, parts, segments, wanted)
    return Hidden(states, torch.from_numpy(rows), torch.from_numpy(places))


# Both return the segments' tokens, the segments, and per response where the states stand that predict its first token,
# and its token t > 0 less t.
def _whole(prompts: list[list[int]], read: list[list[int]]) -> tuple[list[list[int]], Segments, np.ndarray, np.ndarray]:
    parts = [prompt + response for prompt, response in zip(prompts, read, strict=True)]
    segments = side_by_side(parts, np.arange(len(parts)))
    ends = segments.starts + [len(prompt) - 1 for prompt in prompts]
    return parts, segments, ends, ends


def _shared(
    prompts: list[list[int]], read: list[list[int]]
) -> tuple[list[list[int]], Segments, np.ndarray, np.ndarray]:
    distinct, prompt_of = distinct_prompts(prompts)
    longer = [row for row, response in enumerate(read) if response]  # one token alone is predicted by the prompt
    parts = distinct + [read[row] for row in longer]
    segments = side_by_side(parts, np.array([*range(len(distinct)), *(prompt_of[row] for row in longer)]))
    first = (segments.starts + segments.lengths - 1)[prompt_of]
    later = np.zeros(len(read), dtype=np.int64)
    later[longer] = segments.starts[len(distinct) :] - 1
    return parts, segments, first, later
