"""The policy as a module: log-probabilities and entropies of responses, without work that nobody reads.

The head is a module of its own that reduces its logits in chunks, and it sees the positions that predict response
tokens and no other. All happens inside `forward`, so that ZeRO-3, which gathers a module's weights when the module is
called, gathers the head's too.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from workflow_scripts.ranks import Ranks
from workflow_scripts.rl.batch import for_ranks, micro_batches
from workflow_scripts.rl.forward import Hidden, padded_hidden, shared_prompt_hidden
from workflow_scripts.rl.fused_forward import fused_hidden
from workflow_scripts.rl.logprobs import token_log_probs_and_entropy
from workflow_scripts.rl.packing import allow_packing, packed_hidden

if TYPE_CHECKING:
    from workflow_scripts.models.fused import FusedDecoder


class Head(torch.nn.Module):
    """The language-model head with a weight (V, D) that is shared with the model's."""

    def __init__(self, weight: torch.Tensor, vocabulary: torch.Tensor | None) -> None:
        super().__init__()
        self.weight = weight
        known = None if vocabulary is None else vocabulary.to(weight.device)
        self.register_buffer("vocabulary", known, persistent=False)

    def forward(
        self, hidden: torch.Tensor, targets: torch.Tensor, temperature: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return token_log_probs_and_entropy(
            hidden, self.weight, targets, temperature=temperature, vocabulary=self.vocabulary
        )


def head_weight(model: Any) -> torch.Tensor:
    """The weight (V, D) of a model's head. ValueError if the head has a bias."""
    linear = model.get_output_embeddings()
    if linear.bias is not None:
        raise ValueError("a language-model head with a bias is not supported")
    return linear.weight


def checkpoint_activations(model: Any) -> None:
    """Keep only the inputs of a model's layers for the backward pass, and compute the rest again. ValueError where
    dropout, which acts in training mode, would change the policy that has sampled.
    """
    dropouts = [value for name, value in model.config.to_dict().items() if "drop" in name and isinstance(value, float)]
    if any(dropouts):
        raise ValueError("update.activation_checkpointing: the model has dropout, which must be 0")
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


class Policy(torch.nn.Module):
    """A causal language model, called with a micro-batch of responses."""

    def __init__(
        self,
        model: Any,
        *,
        vocabulary: torch.Tensor | None = None,
        share_prompts: bool = True,
        packing: bool = False,
        activation_checkpointing: bool = False,
        decoder: "FusedDecoder | None" = None,
    ) -> None:
        """`vocabulary` (V,) bool: the token ids that exist, None: all.

        `share_prompts`, `packing`: see `shared_prompt_hidden` and `packed_hidden`, which wins. Where activations are
        computed again layer by layer, prompts are not shared: a layer would store their keys and values twice.
        `decoder`: the form in which the model is trained where it is not its own; it needs no padding.
        """
        super().__init__()
        weight = head_weight(model)
        self.model, self.head = model, Head(weight if decoder is None else decoder.head, vocabulary)
        self._checkpoints = activation_checkpointing
        if activation_checkpointing:
            checkpoint_activations(model)
        if packing:
            allow_packing(model)
        shared = share_prompts and not activation_checkpointing
        if decoder is not None:
            self._hidden, self._layers = partial(fused_hidden, shared=shared), decoder
        else:
            self._hidden = packed_hidden if packing else shared_prompt_hidden if shared else padded_hidden
            self._layers = model

    def forward(
        self, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor, temperature: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`(log_probs, entropy)` (B, T) of the response `tokens` (B, T) after `prompts`, differentiable, zero under
        `mask`, both at `temperature`.

        `mask` is True on the first tokens of each row. The last token of a response is predicted, never read.
        """
        tokens = tokens.to(self.model.device)
        if self._checkpoints:  # layers recompute in training mode only
            self.model.train(torch.is_grad_enabled())
        found: Hidden = self._hidden(self._layers, prompts, tokens, mask)
        targets = tokens[found.rows, found.places]
        spare = len(found.states) - len(targets)
        both = self.head(found.states, torch.nn.functional.pad(targets, (0, spare)), temperature)
        log_probs, entropy = (values[: len(targets)] for values in both)
        empty = torch.zeros(mask.shape, dtype=log_probs.dtype, device=log_probs.device)
        index = (found.rows, found.places)
        return empty.index_put(index, log_probs), empty.index_put(index, entropy)


@torch.no_grad()
def all_log_probs(
    forward: Any,
    prompts: list[list[int]],
    tokens: torch.Tensor,
    mask: torch.Tensor,
    *,
    budget: int,
    temperature: float = 1.0,
    ranks: Ranks | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`forward` (a `Policy`, or a backend's) without gradient, in micro-batches of at most `budget` tokens.

    Returns `(log_probs, entropy)` (B, T) on the CPU. All `ranks` give the same arguments, share the work in equally
    many passes, and get the whole.
    """
    lengths, ranks = mask.sum(dim=-1).tolist(), ranks or Ranks()
    sizes = [len(prompt) + length for prompt, length in zip(prompts, lengths, strict=True)]
    own = []
    for rows in for_ranks(micro_batches(sizes, budget), ranks.world)[ranks.rank]:
        taken = rows or [0]  # an empty one keeps pace and is thrown away
        width = max(lengths[row] for row in taken)
        part = forward([prompts[row] for row in taken], tokens[taken, :width], mask[taken, :width], temperature)
        own.append((rows, [values[: len(rows)].cpu().float() for values in part]))
    results = torch.zeros(mask.shape), torch.zeros(mask.shape)
    for rows, part in (done for parts in ranks.gather(own) for done in parts):
        for whole, values in zip(results, part, strict=True):
            whole[rows, : values.shape[1]] = values
    return results
