"""One process: AdamW on fp32 weights. In bfloat16 the passes run under autocast, and weights and moments stay fp32."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from workflow_scripts.devices import own_device
from workflow_scripts.models.fused import FusedDecoder, Place, fits
from workflow_scripts.models.loading import load_model, save_weights
from workflow_scripts.ranks import Ranks
from workflow_scripts.rl.backends import BUCKET_BYTES, MOMENTS, State, parameter_groups
from workflow_scripts.rl.policy import Policy
from workflow_scripts.rl.settings import UpdateSettings


def load(path: Path, update: UpdateSettings) -> Any:
    """See `load_start`."""
    return load_model(path).to(own_device())


def build(
    model: Any, update: UpdateSettings, ranks: Ranks, vocabulary: torch.Tensor | None, rollout_copy: bool
) -> "Single":
    """See `make_backend`. Raises ValueError under several ranks, which would each train alone."""
    if ranks.world > 1:
        raise ValueError(f"update.backend single runs in one process, not in {ranks.world}: use zero2 or zero3")
    return Single(model, update, vocabulary)


def reference(model: Any, update: UpdateSettings, vocabulary: torch.Tensor | None) -> Any:
    """See `make_reference`."""
    return _under_autocast(Policy(model, vocabulary=vocabulary, packing=update.packing), update)


def _under_autocast(policy: Policy, update: UpdateSettings) -> Any:
    """The policy's `forward` in the precision of the passes."""

    def forward(*inputs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        device, enabled = policy.model.device.type, update.precision == "bfloat16"
        with torch.autocast(device, dtype=torch.bfloat16, enabled=enabled):
            return policy(*inputs)

    return forward


class Single:
    def __init__(
        self, model: Any, update: UpdateSettings, vocabulary: torch.Tensor | None = None, share_prompts: bool = True
    ) -> None:
        """`share_prompts`: worth it where several responses follow one prompt."""
        self.rollout_model, self.max_grad_norm, self.updates = model, update.max_grad_norm, 0
        decoder = _fused(model, update)
        self.policy = Policy(
            model,
            vocabulary=vocabulary,
            share_prompts=share_prompts,
            packing=update.packing,
            activation_checkpointing=update.activation_checkpointing,
            decoder=decoder,
        )
        self._forward, self._precision = _under_autocast(self.policy, update), update.precision
        named = dict(model.named_parameters())
        self._places = decoder.flat.places if decoder else {name: Place(p, slice(None)) for name, p in named.items()}
        self._in_place = decoder is not None  # a flat gradient is written into, piece by piece
        self._trained = decoder.flat.tensors if decoder else list(named.values())
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self._trained, update.weight_decay),
            lr=update.lr,
            betas=tuple(update.betas),
            weight_decay=update.weight_decay,
            fused=True,
        )

    def forward(
        self, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor, temperature: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self._forward(prompts, tokens, mask, temperature)

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def step(self, lr: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        norm = float(torch.nn.utils.clip_grad_norm_(self._trained, self.max_grad_norm))
        if math.isfinite(norm):
            self.optimizer.step()
            self.updates += 1
        self.optimizer.zero_grad(set_to_none=not self._in_place)
        return norm

    def refresh(self) -> None:
        """The model that samples is the one that is trained."""

    def weights(self, bucket_bytes: int = BUCKET_BYTES) -> Iterator[tuple[str, torch.Tensor]]:
        for name, parameter in self.rollout_model.named_parameters():
            yield name, parameter.detach().to(getattr(torch, self._precision))

    def save(self, folder: Path, tokenizer: Any) -> None:
        save_weights(self.weights(), self.rollout_model, tokenizer, folder, self._precision)

    def state(self) -> Iterator[State]:
        for name, parameter in self.rollout_model.named_parameters():
            place = self._places[name]
            if found := self.optimizer.state.get(place.tensor):
                moments = {key: found[key].flatten()[place.part].view_as(parameter) for key in MOMENTS}
            else:  # no update yet
                moments = {key: torch.zeros_like(parameter) for key in MOMENTS}
            yield name, {"param": parameter.detach(), **{key: moment.detach() for key, moment in moments.items()}}

    def load(self, state: Iterable[State], updates: int) -> None:
        parameters = dict(self.rollout_model.named_parameters())
        for tensor in self._trained:
            moments = {key: torch.zeros_like(tensor) for key in MOMENTS}
            self.optimizer.state[tensor] = {"step": torch.tensor(float(updates), device=tensor.device), **moments}
        for name, tensors in state:
            parameter, place = parameters[name], self._places[name]
            parameter.data.copy_(tensors["param"])
            for key in MOMENTS:
                self.optimizer.state[place.tensor][key].view(-1)[place.part] = tensors[key].flatten()
        self.updates = updates


def _fused(model: Any, update: UpdateSettings) -> FusedDecoder | None:
    """The form in which a model is trained on a CPU, where it has one."""
    special = update.activation_checkpointing or update.precision != "float32"
    return FusedDecoder(model) if fits(model) and not special else None
