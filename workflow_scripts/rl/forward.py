"""Log-probabilities of responses under a model: prompt and response in one forward pass, the head on responses only."""

from typing import Any

import torch

from workflow_scripts.rl.batch import micro_batches
from workflow_scripts.rl.logprobs import token_log_probs_and_entropy


def response_log_probs(
    model: Any, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor, temperature: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """`(log_probs, entropy)` (B, T) of the response `tokens` (B, T) after `prompts`, differentiable, zero under `mask`.

    Rows are padded on the right, so that plain causal attention needs no mask: padding comes after all that counts. The
    last token of a response is predicted, never read.
    """
    lengths = mask.sum(dim=-1)
    inputs = _join(prompts, tokens, lengths)
    device = next(model.parameters()).device
    hidden = model.base_model(input_ids=inputs.to(device), use_cache=False).last_hidden_state
    row, place = torch.nonzero(mask, as_tuple=True)
    first = torch.tensor([len(prompt) - 1 for prompt in prompts])
    used = hidden[row.to(device), (first[row] + place).to(device)]
    head = model.get_output_embeddings().weight
    values = token_log_probs_and_entropy(used, head, tokens[mask].to(device), temperature=temperature)
    empty = torch.zeros(mask.shape, dtype=values[0].dtype, device=device)
    index = (row.to(device), place.to(device))
    return empty.index_put(index, values[0]), empty.index_put(index, values[1])


@torch.no_grad()
def all_log_probs(
    model: Any,
    prompts: list[list[int]],
    tokens: torch.Tensor,
    mask: torch.Tensor,
    *,
    budget: int,
    temperature: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same without gradient and in micro-batches of at most `budget` tokens; results (B, T) on the CPU."""
    log_probs, entropy = torch.zeros(mask.shape), torch.zeros(mask.shape)
    lengths = mask.sum(dim=-1).tolist()
    sizes = [len(prompt) + length for prompt, length in zip(prompts, lengths, strict=True)]
    for rows in micro_batches(sizes, budget):
        width = max(lengths[row] for row in rows)
        part = response_log_probs(
            model, [prompts[row] for row in rows], tokens[rows, :width], mask[rows, :width], temperature
        )
        log_probs[rows, :width], entropy[rows, :width] = part[0].cpu().float(), part[1].cpu().float()
    return log_probs, entropy


def _join(prompts: list[list[int]], tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Input ids (B, L): prompt, then the response without its last token, then zeros."""
    rows = [
        prompt + response[: max(length - 1, 0)]
        for prompt, response, length in zip(prompts, tokens.tolist(), lengths.tolist(), strict=True)
    ]
    width = max(len(row) for row in rows)
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])
