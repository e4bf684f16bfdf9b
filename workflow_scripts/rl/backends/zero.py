"""DeepSpeed ZeRO-2 and ZeRO-3: optimiser state and gradients, and in ZeRO-3 the weights, are spread over the ranks.

DeepSpeed averages gradients over ranks and, left to itself, over micro-batches. Losses here are shares of a sum that
is already divided by the count of the whole mini-batch, so accumulation is left to us (`managed_gradient_accumulation`
false) and each share is multiplied by the number of ranks. It clips the gradient and skips one that is not finite.

Every rank runs the same number of forward and backward passes; ZeRO-3 gathers weights in each.
"""

import copy
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from workflow_scripts.ranks import Ranks
from workflow_scripts.rl.backends import MOMENTS, State, parameter_groups
from workflow_scripts.rl.policy import Policy
from workflow_scripts.rl.settings import UpdateSettings

FOLDER = Path(__file__).resolve().parents[3] / "config" / "deepspeed"


def build(
    model: Any, update: UpdateSettings, ranks: Ranks, vocabulary: torch.Tensor | None, rollout_copy: bool = True
) -> "Zero":
    """See `make_backend`."""
    return Zero(model, update, ranks, vocabulary)


class Zero:
    def __init__(
        self, model: Any, update: UpdateSettings, ranks: Ranks, vocabulary: torch.Tensor | None = None
    ) -> None:
        os.environ.setdefault("DS_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")
        warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")  # one per call
        import deepspeed

        if not dist.is_initialized():  # alone, without a launcher
            dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
            os.environ.setdefault("LOCAL_RANK", "0")
        self.ranks, self.updates, self.sharded = ranks, 0, update.backend == "zero3"
        # hooks of ZeRO-3 would gather each layer for each token: it samples from a copy of its own
        self.rollout_model = copy.deepcopy(model) if self.sharded else model
        self._names = [name for name, _ in model.named_parameters()]
        self._parameters = [parameter for _, parameter in model.named_parameters()]
        self._adamw = torch.optim.AdamW(
            parameter_groups(model, update.weight_decay),
            lr=update.lr,
            betas=tuple(update.betas),
            weight_decay=update.weight_decay,
        )
        config = json.loads((FOLDER / f"{update.backend}.json").read_text())
        config |= {"gradient_clipping": update.max_grad_norm, "bf16": {"enabled": update.precision == "bfloat16"}}
        # passes of equal shape on all ranks: no sharing of prompts, whose number of passes depends on the lengths
        policy = Policy(model, vocabulary=vocabulary, share_prompts=False)
        self.engine = deepspeed.initialize(model=policy, optimizer=self._adamw, config=config)[0]

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
        if self.sharded:
            own = dict(self.rollout_model.named_parameters())
            for name, parameter in zip(self._names, self._parameters, strict=True):
                own[name].data.copy_(_full(parameter))

    def weights(self, bucket_bytes: int = 2**29) -> Iterator[tuple[str, torch.Tensor]]:
        for name, parameter in zip(self._names, self._parameters, strict=True):
            yield name, _full(parameter)

    def state(self) -> Iterator[State]:
        from deepspeed.utils import safe_get_full_optimizer_state

        for name, parameter in zip(self._names, self._parameters, strict=True):
            tensors = {"param": _full(parameter)}
            for key in MOMENTS:
                tensors[key] = (
                    safe_get_full_optimizer_state(parameter, key)
                    if self.updates
                    else torch.zeros_like(tensors["param"])
                )
            yield name, {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}

    def load(self, state: Iterator[State], updates: int) -> None:
        place, moments = dict(zip(self._names, self._parameters, strict=True)), {}
        for name, tensors in state:
            self._set(place[name], tensors["param"])
            moments[name] = {key: tensors[key] for key in MOMENTS}
        self._touch()
        for name, tensors in moments.items():
            for key in MOMENTS:
                self._set(place[name], tensors[key], key)
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

        value = value.to(self.engine.device)
        if not self.sharded:
            if key:
                utils.safe_set_full_optimizer_state(parameter, value, key)
            else:
                utils.safe_set_full_fp32_param(parameter, value)
            return
        # the setter for whole tensors does not know the padding of the last rank's part
        size = -(-value.numel() // self.ranks.world)
        padded = torch.nn.functional.pad(value.flatten(), (0, size * self.ranks.world - value.numel()))
        part = padded[self.ranks.rank * size : (self.ranks.rank + 1) * size]
        if key:
            utils.safe_set_local_optimizer_state(parameter, part, key)
        else:
            utils.safe_set_local_fp32_param(parameter, part)


def _full(parameter: torch.nn.Parameter) -> torch.Tensor:
    from deepspeed.utils import safe_get_full_fp32_param

    return safe_get_full_fp32_param(parameter)
