"""Hidden states that predict response tokens: two ways through the layers, equal up to rounding."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch

from workflow_scripts.rl.prefix import PrefixCache

PASS_COST = 128  # a further pass through the layers costs about as much as so many tokens of padding (nano, CPU)


class Passes(Protocol):
    """Ways through the layers of a decoder, to the hidden states (len(read), D) of the places `read` of the flattened rows.

    There may be more of them: rows beyond are padding.
    """

    def whole(self, rows: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
        """Of sequences (B, W), padded on the right."""
        ...

    def prompts(self, rows: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
        """Of prompts (G, P), padded on the right, whose keys and values are kept for `responses`."""
        ...

    def responses(
        self, tokens: torch.Tensor, group: torch.Tensor, ends: torch.Tensor, read: torch.Tensor
    ) -> torch.Tensor:
        """Of response `tokens` (B, T); row b follows prompt `group[b]`; `ends` (G,) are the prompts' lengths."""
        ...


@dataclass(frozen=True)
class Hidden:
    """Hidden states (at least N, D) that predict response tokens: state n predicts `tokens[rows[n], places[n]]`."""

    states: torch.Tensor
    rows: torch.Tensor
    places: torch.Tensor


def shared_prompt_hidden(passes: Passes, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor) -> Hidden:
    """Each distinct prompt runs once, its samples attend to its keys and values; responses of like length run
    together, so that little is spent on padding.
    """
    device, lengths = tokens.device, mask.sum(dim=-1).tolist()
    distinct, prompt_of = _distinct(prompts)
    rows = torch.tensor([row for row, length in enumerate(lengths) if length > 0], dtype=torch.long, device=device)
    group, ends = torch.tensor(prompt_of, device=device), torch.tensor([len(p) for p in distinct], device=device)
    inputs = _padded(distinct, device)
    last = passes.prompts(inputs, torch.arange(len(distinct), device=device) * inputs.shape[1] + ends - 1)
    hidden = [last[group[rows]]]  # predicts the first token
    index = [torch.stack([rows, torch.zeros_like(rows)])]
    for part in like_lengths([length - 1 for length in lengths]):
        own, width = torch.tensor(part, device=device), max(lengths[row] for row in part) - 1
        row, place = torch.nonzero(mask[part, 1 : width + 1].to(device), as_tuple=True)
        states = passes.responses(tokens[own, :width], group[own], ends, row * width + place)
        hidden.append(states[: len(row)])
        index.append(torch.stack([own[row], place + 1]))
    return Hidden(torch.cat(hidden), *torch.cat(index, dim=1))


def padded_hidden(passes: Passes, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor) -> Hidden:
    """The plain way: prompts and responses in one pass, padded on the right."""
    lengths = mask.sum(dim=-1).tolist()
    rows = [prompt + tokens[row, : lengths[row]].tolist() for row, prompt in enumerate(prompts)]
    inputs = _padded(rows, tokens.device)
    row, place = torch.nonzero(mask.to(tokens.device), as_tuple=True)
    starts = torch.tensor([len(prompt) for prompt in prompts], device=tokens.device)
    return Hidden(passes.whole(inputs, row * inputs.shape[1] + starts[row] + place - 1), row, place)


def like_lengths(lengths: list[int]) -> list[list[int]]:
    """Rows with a positive length, cut into passes so that padding plus `PASS_COST` per pass is least.

    Exact by dynamic programming over the distinct lengths: a pass holds all rows of some consecutive lengths.
    """
    by_length: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        if length > 0:
            by_length.setdefault(length, []).append(row)
    widths = sorted(by_length)
    best: list[tuple[int, int]] = [(0, 0)]  # (least cost, start of the last pass) of the first n widths
    for end in range(1, len(widths) + 1):
        count, options = 0, []
        for start in range(end - 1, -1, -1):
            count += len(by_length[widths[start]])
            options.append((best[start][0] + PASS_COST + count * widths[end - 1], start))
        best.append(min(options))
    passes, end = [], len(widths)
    while end > 0:
        start = best[end][1]
        passes.append(sorted(row for width in widths[start:end] for row in by_length[width]))
        end = start
    return passes[::-1]


def _distinct(prompts: list[list[int]]) -> tuple[list[list[int]], list[int]]:
    """The distinct prompts in order of appearance, and the index of each row's prompt among them."""
    place: dict[tuple[int, ...], int] = {}
    prompt_of = [place.setdefault(tuple(prompt), len(place)) for prompt in prompts]
    return [list(prompt) for prompt in place], prompt_of


def _padded(rows: list[list[int]], device: torch.device) -> torch.Tensor:
    """Token ids (B, W), padded on the right, where causal attention needs no mask: padding follows all that counts."""
    width = max(len(row) for row in rows)
    return torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)


class ModelPasses:
    """The passes of a Hugging Face model."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._cache: PrefixCache | None = None

    def whole(self, rows: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
        return _states(self._model.base_model(input_ids=rows, use_cache=False), read)

    def prompts(self, rows: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
        self._cache = PrefixCache(self._model.config.num_hidden_layers)
        return _states(self._model.base_model(input_ids=rows, past_key_values=self._cache, use_cache=True), read)

    def responses(
        self, tokens: torch.Tensor, group: torch.Tensor, ends: torch.Tensor, read: torch.Tensor
    ) -> torch.Tensor:
        output = self._model.base_model(
            input_ids=tokens,
            attention_mask=after_prompts(tokens.shape[1], group, ends),
            position_ids=positions_after(tokens, group, ends),
            past_key_values=self._cache.read_by(group),
            use_cache=True,
        )
        return _states(output, read)


def _states(output: Any, read: torch.Tensor) -> torch.Tensor:
    return output.last_hidden_state.flatten(0, 1).index_select(0, read)


def after_prompts(width: int, group: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """What each of `width` response tokens sees (B, 1, width, longest prompt + width): its prompt and what precedes."""
    steps = torch.arange(width, device=ends.device)
    prompt = torch.arange(int(ends.max()), device=ends.device) < ends[group][:, None]
    causal = (steps <= steps[:, None]).expand(len(group), width, width)
    return torch.cat([prompt[:, None].expand(-1, width, -1), causal], dim=-1)[:, None]


def positions_after(tokens: torch.Tensor, group: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Positions (B, T) of response tokens after their prompts."""
    return ends[group][:, None] + torch.arange(tokens.shape[1], device=tokens.device)
