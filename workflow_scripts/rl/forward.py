"""Hidden states that predict response tokens: two ways through the layers, equal up to rounding."""

from dataclasses import dataclass
from typing import Any

import torch

from workflow_scripts.rl.prefix import PrefixCache

PASS_COST = 128  # a further pass through the layers costs about as much as this many tokens of padding (nano, CPU)


@dataclass(frozen=True)
class Hidden:
    """Hidden states (at least N, D) that predict response tokens: state n predicts `tokens[rows[n], places[n]]`.

    What follows the first N of them is padding.
    """

    states: torch.Tensor
    rows: torch.Tensor
    places: torch.Tensor


def shared_prompt_hidden(model: Any, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor) -> Hidden:
    """Each distinct prompt runs once, its samples attend to its keys and values; responses of like length run
    together, so that little is spent on padding.
    """
    device, lengths = tokens.device, mask.sum(dim=-1).tolist()
    distinct, prompt_of = distinct_prompts(prompts)
    cache, prompt_hidden = _run_prompts(model, distinct, device)
    rows = torch.tensor([row for row, length in enumerate(lengths) if length > 0], dtype=torch.long, device=device)
    group, ends = torch.tensor(prompt_of, device=device), torch.tensor([len(p) for p in distinct], device=device)
    hidden = [prompt_hidden[group[rows], ends[group[rows]] - 1]]  # predicts the first token
    index = [torch.stack([rows, torch.zeros_like(rows)])]
    for part in like_lengths([length - 1 for length in lengths]):
        own, width = torch.tensor(part, device=device), max(lengths[row] for row in part) - 1
        last = _run_responses(model, cache, tokens[own, :width], group[own], ends)
        row, place = torch.nonzero(mask[part, 1 : width + 1].to(device), as_tuple=True)
        hidden.append(last[row, place])
        index.append(torch.stack([own[row], place + 1]))
    return Hidden(torch.cat(hidden), *torch.cat(index, dim=1))


def padded_hidden(model: Any, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor) -> Hidden:
    """The plain way: prompts and responses in one pass, padded on the right."""
    lengths = mask.sum(dim=-1).tolist()
    rows = [prompt + tokens[row, : lengths[row]].tolist() for row, prompt in enumerate(prompts)]
    inputs = _padded(rows, tokens.device)
    states = model.base_model(input_ids=inputs, use_cache=False).last_hidden_state
    row, place = torch.nonzero(mask.to(tokens.device), as_tuple=True)
    starts = torch.tensor([len(prompt) for prompt in prompts], device=tokens.device)
    return Hidden(states[row, starts[row] + place - 1], row, place)


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


def distinct_prompts(prompts: list[list[int]]) -> tuple[list[list[int]], list[int]]:
    """The distinct prompts in order of appearance, and the index of each row's prompt among them."""
    place: dict[tuple[int, ...], int] = {}
    prompt_of = [place.setdefault(tuple(prompt), len(place)) for prompt in prompts]
    return [list(prompt) for prompt in place], prompt_of


def _run_prompts(model: Any, prompts: list[list[int]], device: torch.device) -> tuple[PrefixCache, torch.Tensor]:
    """Keys and values of the prompts, and their hidden states (G, P, D)."""
    cache = PrefixCache(model.config.num_hidden_layers)
    output = model.base_model(input_ids=_padded(prompts, device), past_key_values=cache, use_cache=True)
    return cache, output.last_hidden_state


def _padded(rows: list[list[int]], device: torch.device) -> torch.Tensor:
    """Token ids (B, W), padded on the right, where causal attention needs no mask: padding follows all that counts."""
    width = max(len(row) for row in rows)
    return torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)


def _run_responses(
    model: Any, cache: PrefixCache, tokens: torch.Tensor, group: torch.Tensor, ends: torch.Tensor
) -> torch.Tensor:
    """Hidden states (B, T, D) of response `tokens` (B, T); row b follows prompt `group[b]`, `ends` are the lengths."""
    width = tokens.shape[1]
    steps = torch.arange(width, device=tokens.device)
    prompt = torch.arange(int(ends.max()), device=tokens.device) < ends[group][:, None]
    causal = (steps <= steps[:, None]).expand(len(tokens), width, width)
    mask = torch.cat([prompt[:, None].expand(-1, width, -1), causal], dim=-1)[:, None]
    output = model.base_model(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=ends[group][:, None] + steps,
        past_key_values=cache.read_by(group),
        use_cache=True,
    )
    return output.last_hidden_state
