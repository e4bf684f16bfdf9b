"""One process: AdamW on fp32 weights. In bfloat16 the passes run under autocast, and weights and moments stay fp32."""

import math
from collections.abc import Iterator
from typing import Any

import torch

from workflow_scripts.ranks import Ranks
from workflow_scripts.rl.backends import MOMENTS, State, parameter_groups
from workflow_scripts.rl.policy import Policy
from workflow_scripts.rl.settings import UpdateSettings


def build(
    model: Any, update: UpdateSettings, ranks: Ranks, vocabulary: torch.Tensor | None, rollout_copy: bool = True
) -> "Single":
    """See `make_backend`. Raises ValueError under several ranks, which would each train alone."""
    if ranks.world > 1:
        raise ValueError(f"update.backend single runs in one process, not in {ranks.world}: use zero2 or zero3")
    return Single(model, update, vocabulary)


class Single:
    def __init__(
        self, model: Any, update: UpdateSettings, vocabulary: torch.Tensor | None = None, share_prompts: bool = True
    ) -> None:
        """`share_prompts`: worth it where several responses follow one prompt."""
        self.rollout_model, self.max_grad_norm, self.updates = model, update.max_grad_norm, 0
        self.policy = Policy(model, vocabulary=vocabulary, share_prompts=share_prompts)
        self._autocast = update.precision == "bfloat16"
        self.optimizer = torch.optim.AdamW(
            parameter_groups(model, update.weight_decay),
            lr=update.lr,
            betas=tuple(update.betas),
            weight_decay=update.weight_decay,
            fused=True,
        )

    def forward(
        self, prompts: list[list[int]], tokens: torch.Tensor, mask: torch.Tensor, temperature: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        device = next(self.policy.parameters()).device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self._autocast):
            return self.policy(prompts, tokens, mask, temperature)

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def step(self, lr: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        norm = float(torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm))
        if math.isfinite(norm):
            self.optimizer.step()
            self.updates += 1
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def refresh(self) -> None:
        """The model that samples is the one that is trained."""

    def weights(self, bucket_bytes: int = 2**29) -> Iterator[tuple[str, torch.Tensor]]:
        for name, parameter in self.rollout_model.named_parameters():
            yield name, parameter.detach()

    def state(self) -> Iterator[State]:
        for name, parameter in self.rollout_model.named_parameters():
            moments = self.optimizer.state.get(parameter) or {key: torch.zeros_like(parameter) for key in MOMENTS}
            tensors = {"param": parameter, **{key: moments[key] for key in MOMENTS}}
            yield name, {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}

    def load(self, state: Iterator[State], updates: int) -> None:
        parameters = dict(self.rollout_model.named_parameters())
        for name, tensors in state:
            parameter = parameters[name]
            parameter.data.copy_(tensors["param"])
            moments = {key: tensors[key].to(parameter.device) for key in MOMENTS}
            step = torch.tensor(float(updates), device=parameter.device)
            self.optimizer.state[parameter] = {"step": step, **moments}
        self.updates = updates
