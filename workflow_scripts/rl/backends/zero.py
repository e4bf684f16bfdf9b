"""DeepSpeed ZeRO-2 and ZeRO-3: optimiser state and gradients, and in ZeRO-3 the weights, are spread over the ranks.

DeepSpeed averages gradients over ranks and, left to itself, over micro-batches. Losses here are shares of a sum that
is already divided by the count of the whole mini-batch, so accumulation is left to us (`managed_gradient_accumulation`
false) and each share is multiplied by the number of ranks. It clips the gradient and skips one that is not finite.

Every rank runs the same number of forward and backward passes; ZeRO-3 gathers weights in each.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from workflow_scripts.devices import own_device
from workflow_scripts.models.loading import empty_copy, load_model, save_weights
from workflow_scripts.ranks import Ranks
from workflow_scripts.rl.backends import BUCKET_BYTES, MOMENTS, State, parameter_groups
from workflow_scripts.rl.backends.zero_setup import initialize, is_partitioned, partition, start
from workflow_scripts.rl.policy import Policy
from workflow_scripts.rl.settings import UpdateSettings


def load(path: Path, update: UpdateSettings) -> Any:
    """See `load_start`."""
    return partition(path, update) if update.backend == "zero3" else load_model(path)


def build(
    model: Any, update: UpdateSettings, ranks: Ranks, vocabulary: torch.Tensor | None, rollout_copy: bool
) -> "Zero":
    """See `make_backend`."""
    return Zero(model, update, ranks, vocabulary, rollout_copy)


def reference(model: Any, update: UpdateSettings, vocabulary: torch.Tensor | None) -> Any:
    """See `make_reference`. A model in parts keeps them; any other runs by itself, at its own pace."""
    if not is_partitioned(next(model.parameters())):
        for parameter in model.parameters():  # not the rotary frequencies
            parameter.data = parameter.data.to(getattr(torch, update.precision))
        return Policy(model.to(own_device()), vocabulary=vocabulary, packing=update.packing)
    policy = Policy(model, vocabulary=vocabulary, share_prompts=False, packing=update.packing)
    return initialize(policy.requires_grad_(False), update)


class Zero:
    def __init__(
        self,
        model: Any,
        update: UpdateSettings,
        ranks: Ranks,
        vocabulary: torch.Tensor | None = None,
        rollout_copy: bool = True,
    ) -> None:
        start()
        self.ranks, self.updates, self.sharded = ranks, 0, update.backend == "zero3"
        self._model, self._precision = model, update.precision
        self._parameters = dict(model.named_parameters())
        self.rollout_model = self._rollout_model(rollout_copy)
        self._adamw = torch.optim.AdamW(
            parameter_groups(model.parameters(), update.weight_decay),
            lr=update.lr,
            betas=tuple(update.betas),
            weight_decay=update.weight_decay,
            fused=True,
        )
        # passes of equal shape on all ranks: no sharing of prompts, whose number of passes depends on the lengths
        policy = Policy(
            model,
            vocabulary=vocabulary,
            share_prompts=False,
            packing=update.packing,
            activation_checkpointing=update.activation_checkpointing,
        )
        self.engine = initialize(policy, update, self._adamw)
        self.refresh()

    def _rollout_model(self, wanted: bool) -> Any:
        """Hooks of ZeRO-3 would gather each layer for each token: it samples from a copy of its own."""
        if not self.sharded:
            return self._model
        if not wanted:
            return None
        return empty_copy(self._model, self._precision).to(own_device())

    def forward(
        self, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor, temperature: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self.engine(prompts, tokens, mask, temperature)

    def backward(self, loss: torch.Tensor) -> None:
        self.engine.backward(loss * self.ranks.world, scale_wrt_gas=False)

    def step(self, lr: float) -> float:
        norm = self._step(lr)
        self.updates += self.engine.was_step_applied()
        return norm

    def _step(self, lr: float) -> float:
        for group in self.engine.optimizer.param_groups:
            group["lr"] = lr
        self.engine.step()
        return float(self.engine.get_global_grad_norm())

    def refresh(self) -> None:
        if self.sharded and self.rollout_model is not None:
            own = dict(self.rollout_model.named_parameters())
            for name, weight in self.weights():
                own[name].data.copy_(weight)

    def weights(self, bucket_bytes: int = BUCKET_BYTES) -> Iterator[tuple[str, torch.Tensor]]:
        for bucket in _buckets(self._parameters, bucket_bytes):
            with start().zero.GatheredParameters(list(bucket.values()), enabled=self.sharded):
                yield from ((name, parameter.detach()) for name, parameter in bucket.items())

    def save(self, folder: Path, tokenizer: Any) -> None:
        save_weights(self.weights(), self._model, tokenizer, folder, self._precision, write=self.ranks.first)

    def state(self) -> Iterator[State]:
        from deepspeed.utils import safe_get_full_optimizer_state

        for name, parameter in self._parameters.items():
            tensors = {"param": _full(parameter)}
            for key in MOMENTS:
                tensors[key] = (
                    safe_get_full_optimizer_state(parameter, key)
                    if self.updates
                    else torch.zeros_like(tensors["param"])
                )
            yield name, {key: tensor.detach() for key, tensor in tensors.items()}

    def load(self, state: Iterable[State], updates: int) -> None:
        for name, tensors in state:
            self._set(self._parameters[name], tensors["param"])
        self._touch()
        for name, tensors in state:  # again from the files: nobody could hold the moments of a large model
            for key in MOMENTS:
                self._set(self._parameters[name], tensors[key], key)
        for values in self._adamw.state.values():
            values["step"].fill_(updates)
        self.updates = updates
        self.refresh()

    def _touch(self) -> None:
        """An update at rate 0: creates the moments, and copies the fp32 weights to those of the passes."""
        log_probs, _ = self.forward([[0]], torch.zeros(1, 1, dtype=torch.long), torch.ones(1, 1, dtype=torch.bool))
        self.backward(0.0 * log_probs.sum())
        self._step(0.0)

    def _set(self, parameter: torch.nn.Parameter, value: torch.Tensor, key: str | None = None) -> None:
        from deepspeed import utils

        if not self.sharded:
            value = value.to(self.engine.device)
            if key:
                utils.safe_set_full_optimizer_state(parameter, value, key)
            else:
                utils.safe_set_full_fp32_param(parameter, value)
            return
        # the setter for whole tensors does not know the padding of the last rank's part
        size = -(-value.numel() // self.ranks.world)
        part = value.flatten()[self.ranks.rank * size : (self.ranks.rank + 1) * size].to(self.engine.device)
        part = torch.nn.functional.pad(part, (0, size - part.numel()))
        if key:
            utils.safe_set_local_optimizer_state(parameter, part, key)
        else:
            utils.safe_set_local_fp32_param(parameter, part)


def _buckets(parameters: dict[str, torch.nn.Parameter], size: int) -> Iterator[dict[str, torch.nn.Parameter]]:
    """Consecutive parameters of about `size` bytes together, whether they are whole or in parts."""
    bucket: dict[str, torch.nn.Parameter] = {}
    held = 0
    for name, parameter in parameters.items():
        bytes_ = getattr(parameter, "ds_numel", parameter.numel()) * parameter.element_size()
        if bucket and held + bytes_ > size:
            yield bucket
            bucket, held = {}, 0
        bucket[name], held = parameter, held + bytes_
    yield bucket


def _full(parameter: torch.nn.Parameter) -> torch.Tensor:
    from deepspeed.utils import safe_get_full_fp32_param

    return safe_get_full_fp32_param(parameter)
