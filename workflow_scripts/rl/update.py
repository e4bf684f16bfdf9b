"""The policy update: mini-batches of a rollout batch, gradients accumulated over micro-batches, AdamW.

Every term is divided by the count of the whole mini-batch, so the update does not depend on how it is cut into
micro-batches (with the statistics of a covariance loss in `mini_batch` scope).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from workflow_scripts.rl.batch import Rollouts, micro_batches, split_evenly
from workflow_scripts.rl.forward import all_log_probs, response_log_probs
from workflow_scripts.rl.losses import Statistics, mini_batch_statistics, policy_loss, selects_tokens
from workflow_scripts.rl.losses.aggregation import aggregate, normalizer_of
from workflow_scripts.rl.seeds import derive_seed
from workflow_scripts.rl.settings import Settings


@dataclass(frozen=True)
class UpdateReport:
    """Figures of one optimiser update: `loss`, `grad_norm` before clipping, summed `stats`, `skipped` if not finite."""

    loss: float
    grad_norm: float
    lr: float
    stats: dict[str, float]
    skipped: bool


class Updater:
    """Optimiser and update rule; it holds no state but the optimiser's."""

    def __init__(self, model: Any, settings: Settings) -> None:
        self.model, self.settings = model, settings
        update = settings.update
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=update.lr,
            betas=tuple(update.betas),
            weight_decay=update.weight_decay,
            fused=True,
        )

    def learning_rate(self, number: int) -> float:
        """Rate of update `number`, from 1 over the whole run: linear warm-up over `warmup` updates, then constant."""
        return self.settings.update.lr * min(1.0, number / max(1, self.settings.update.warmup))

    def run(self, rollouts: Rollouts, step: int) -> Iterator[UpdateReport]:
        """The updates of rollout step `step` on the rows of `rollouts`, in order."""
        minibatches = self.settings.update.minibatches
        for index, rows in enumerate(split_evenly(list(range(len(rollouts))), minibatches)):
            yield self._update(rollouts.take(rows), step, index, (step - 1) * minibatches + index + 1)

    def _update(self, batch: Rollouts, step: int, index: int, number: int) -> UpdateReport:
        settings = self.settings
        rate = self.learning_rate(number)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        generator = torch.Generator().manual_seed(derive_seed(settings.seed, "loss", step, index))
        parts = micro_batches(batch.sizes(), settings.update.micro_batch_tokens)
        statistics = self._statistics(batch, generator) if self._needs_statistics(parts) else None
        normalizer = normalizer_of(batch.mask, settings.loss.aggregation)
        self.optimizer.zero_grad(set_to_none=True)
        total, merged = 0.0, {}
        for rows in parts:
            # the order of rows decides which candidates a permutation hits: keep the mini-batch's
            loss, stats = self._loss(batch, sorted(rows), index == 0, normalizer, statistics, generator)
            loss.backward()
            total += float(loss.detach())
            for name, value in stats.items():
                merged[name] = merged.get(name, 0.0) + float(value)
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.update.max_grad_norm))
        finite = norm == norm and norm != float("inf")
        if finite:
            self.optimizer.step()
        return UpdateReport(total, norm, rate, merged, skipped=not finite)

    def _needs_statistics(self, parts: list[list[int]]) -> bool:
        """With one micro-batch the loss finds the same statistics by itself, one forward pass cheaper."""
        loss = self.settings.loss
        return loss.scope == "mini_batch" and len(parts) > 1 and selects_tokens(loss.name)

    def _statistics(self, batch: Rollouts, generator: torch.Generator) -> Statistics:
        settings = self.settings
        current, _ = all_log_probs(
            self.model,
            batch.prompts,
            batch.tokens,
            batch.mask,
            budget=settings.update.micro_batch_tokens,
            temperature=settings.rollout.temperature,
        )
        return mini_batch_statistics(
            settings.loss.name,
            log_probs=current,
            old_log_probs=batch.old_log_probs,
            advantages=batch.advantages,
            mask=batch.mask,
            options=settings.loss.options,
            generator=generator,
        )

    def _loss(
        self,
        batch: Rollouts,
        rows: list[int],
        on_policy: bool,
        normalizer: int,
        statistics: Statistics | None,
        generator: torch.Generator,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Loss and stats of the micro-batch `rows`: the policy loss, entropy bonus and KL to the reference."""
        settings, part = self.settings, batch.take(rows)
        log_probs, entropy = response_log_probs(
            self.model, part.prompts, part.tokens, part.mask, settings.rollout.temperature
        )
        # before the first update of a step the weights are those that sampled: the ratio is exactly one
        old = log_probs.detach() if on_policy else part.old_log_probs.to(log_probs.device)
        mask = part.mask.to(log_probs.device)
        loss, stats = policy_loss(
            settings.loss.name,
            log_probs=log_probs,
            old_log_probs=old,
            advantages=part.advantages.to(log_probs.device),
            mask=mask,
            entropy=entropy,
            options=settings.loss.options,
            aggregation=settings.loss.aggregation,
            normalizer=normalizer,
            statistics=statistics.rows(rows, mask.shape[1]) if statistics else None,
            generator=generator,
        )
        aggregation = settings.loss.aggregation
        if settings.update.entropy_coef:
            loss = loss - settings.update.entropy_coef * aggregate(entropy, mask, aggregation, normalizer)
        if settings.kl_loss_coef:
            divergence = k3(log_probs, part.ref_log_probs.to(log_probs.device))
            loss = loss + settings.kl_loss_coef * aggregate(divergence, mask, aggregation, normalizer)
        return loss, stats


def k3(log_probs: torch.Tensor, ref_log_probs: torch.Tensor) -> torch.Tensor:
    """Schulman's k3 estimate of KL(policy || reference) per token: exp(x) - x - 1 with x = log p_ref - log p."""
    difference = ref_log_probs - log_probs
    return difference.exp() - difference - 1
