"""Padding-free passes: all sequences of a micro-batch one after the other in a single row, each attending to itself.

Positions start anew with each sequence. transformers hands the boundaries down to the attention function under the
names that its flash-attention models use; ours runs torch's variable-length kernel on a GPU in half precision, and
plain attention sequence by sequence elsewhere, so that no mask over the whole row (tokens x tokens) is ever formed.
"""

import itertools
from typing import Any

import torch

from workflow_scripts.rl.forward import Hidden

NAME = "packed"


def allow_packing(model: Any) -> None:
    """Give a Hugging Face model the attention that `packed_hidden` needs; any other call of it stays what it was."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attention)
    model.set_attn_implementation(NAME)


def packed_hidden(model: Any, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor) -> Hidden:
    """Prompts and responses in one pass, without padding."""
    device, lengths = tokens.device, mask.sum(dim=-1).tolist()
    responses = [row[: max(0, length - 1)] for row, length in zip(tokens.tolist(), lengths, strict=True)]
    rows = [prompt + response for prompt, response in zip(prompts, responses, strict=True)]
    sizes = [len(row) for row in rows]
    starts = [0, *itertools.accumulate(sizes)]
    boundaries = torch.tensor(starts, dtype=torch.int32, device=device)
    states = model.base_model(
        input_ids=torch.tensor([[token for row in rows for token in row]], device=device),
        position_ids=torch.cat([torch.arange(size, device=device) for size in sizes])[None],
        use_cache=False,
        cu_seq_lens_q=boundaries,
        cu_seq_lens_k=boundaries,
        max_length_q=max(sizes),
        max_length_k=max(sizes),
    ).last_hidden_state[0]
    row, place = torch.nonzero(mask.to(device), as_tuple=True)
    ends = torch.tensor([start + len(p) for start, p in zip(starts, prompts, strict=False)], device=device)
    return Hidden(states[ends[row] + place - 1], row, place)


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    max_length_q: int = 0,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Of `query` (1, heads, tokens, size), `key` and `value` (1, key heads, tokens, size); (1, tokens, heads, size)."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if cu_seq_lens_q is None:  # samples, or shared prompts
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **others)
    if sliding_window is not None and sliding_window < max_length_q:
        raise ValueError(f"update.packing: sequences are longer than the model's sliding window of {sliding_window}")
    if query.is_cuda and query.dtype in (torch.bfloat16, torch.float16):
        return by_kernel(query, key, value, cu_seq_lens_q, max_length_q, scaling), None
    parts = [
        sdpa_attention_forward(
            module, query[:, :, start:end], key[:, :, start:end], value[:, :, start:end], None, scaling=scaling
        )[0]
        for start, end in itertools.pairwise(cu_seq_lens_q.tolist())
    ]
    return torch.cat(parts, dim=1), None


def by_kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    boundaries: torch.Tensor,
    longest: int,
    scaling: float | None,
) -> torch.Tensor:
    """One launch for all sequences; the kernel wants (tokens, heads, size)."""
    from torch.nn.attention.varlen import varlen_attn

    flat = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    causal = {"window_size": (-1, 0), "scale": scaling, "enable_gqa": key.shape[1] != query.shape[1]}
    return varlen_attn(*flat, boundaries, boundaries, longest, longest, **causal)[None]
