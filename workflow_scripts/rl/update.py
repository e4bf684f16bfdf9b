"""The policy update: mini-batches of a rollout batch, gradients accumulated over micro-batches and ranks.

Every term is divided by the count of the whole mini-batch, so the update does not depend on how it is cut into
micro-batches or spread over ranks (with the statistics of a loss in `mini_batch` scope).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from workflow_scripts.ranks import Ranks
from workflow_scripts.rl.backends import Backend
from workflow_scripts.rl.batch import Rollouts, for_ranks, micro_batches, packed_micro_batches, split_evenly
from workflow_scripts.rl.kl import kl_estimate
from workflow_scripts.rl.losses import Statistics, mini_batch_statistics, policy_loss, selects_tokens
from workflow_scripts.rl.losses.aggregation import aggregate, normalizer_of
from workflow_scripts.rl.policy import all_log_probs
from workflow_scripts.rl.schedule import learning_rate
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


@dataclass(frozen=True)
class _MiniBatch:
    """One mini-batch and what all its micro-batches share."""

    rollouts: Rollouts
    step: int
    index: int
    normalizer: int | None
    statistics: Statistics | None
    entropy_coef: float


class Updater:
    """The update rule; it holds no state, which is the backend's."""

    def __init__(self, backend: Backend, settings: Settings, ranks: Ranks | None = None) -> None:
        self.backend, self.settings, self.ranks = backend, settings, ranks or Ranks()

    def learning_rate(self, number: int) -> float:
        """Rate of update `number`, from 1 over the whole run."""
        update = self.settings.update
        return learning_rate(
            number,
            self.settings.updates,
            lr=update.lr,
            warmup=update.warmup,
            schedule=update.schedule,
            min_lr_ratio=update.min_lr_ratio,
        )

    def run(self, rollouts: Rollouts, step: int, entropy_coef: float | None = None) -> Iterator[UpdateReport]:
        """The updates of rollout step `step` on the rows of `rollouts`, in order.

        `entropy_coef` is the coefficient in force, where it is not the settings'.
        """
        minibatches = self.settings.update.minibatches
        coefficient = self.settings.update.entropy_coef if entropy_coef is None else entropy_coef
        for index, rows in enumerate(split_evenly(list(range(len(rollouts))), minibatches)):
            yield self._update(rollouts.take(rows), step, index, coefficient)

    def _update(self, batch: Rollouts, step: int, index: int, entropy_coef: float) -> UpdateReport:
        settings = self.settings
        # on rows in ascending order: it decides which candidates a permutation hits
        cut = packed_micro_batches if settings.update.packing else micro_batches
        parts = [sorted(rows) for rows in cut(batch.sizes(), settings.update.micro_batch_tokens)]
        dealt = for_ranks(parts, self.ranks.world)
        whole = settings.loss.normalization == "mini_batch"
        mini_batch = _MiniBatch(
            rollouts=batch,
            step=step,
            index=index,
            normalizer=normalizer_of(batch.mask, settings.loss.aggregation) if whole else None,
            statistics=self._statistics(batch, step, index) if self._needs_statistics(dealt) else None,
            entropy_coef=entropy_coef,
        )
        own = []
        for number, rows in enumerate(dealt[self.ranks.rank]):
            loss, stats = self._loss(mini_batch, rows, number * self.ranks.world + self.ranks.rank)
            self.backend.backward(loss)
            own.append({name: float(value) for name, value in {"loss": loss.detach(), **stats}.items()})
        totals = summed(self.ranks.gather(summed(own)))
        rate = self.learning_rate((step - 1) * settings.update.minibatches + index + 1)
        norm = self.backend.step(rate)
        return UpdateReport(totals.pop("loss"), norm, rate, totals, skipped=not math.isfinite(norm))

    def _needs_statistics(self, dealt: list[list[list[int]]]) -> bool:
        """With one micro-batch the loss finds the same statistics by itself, one forward pass cheaper."""
        loss = self.settings.loss
        return loss.scope == "mini_batch" and sum(map(len, dealt)) > 1 and selects_tokens(loss.name)

    def _statistics(self, batch: Rollouts, step: int, index: int) -> Statistics:
        """Of the whole mini-batch under the current weights, the same on all ranks."""
        log_probs, entropy = all_log_probs(
            self.backend.forward,
            batch.prompts,
            batch.tokens,
            batch.mask,
            budget=self.settings.update.micro_batch_tokens,
            temperature=self.settings.rollout.temperature,
            ranks=self.ranks,
        )
        return mini_batch_statistics(
            self.settings.loss.name,
            log_probs=log_probs,
            old_log_probs=log_probs if index == 0 else batch.old_log_probs,
            advantages=batch.advantages,
            mask=batch.mask,
            entropy=entropy,
            options=self.settings.loss.options,
            generator=self._generator(step, index, 0),
        )

    def _generator(self, step: int, index: int, micro_batch: int) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self.settings.seed, "loss", step, index, micro_batch))

    def _forward(self, part: Rollouts) -> tuple[torch.Tensor, torch.Tensor]:
        return self.backend.forward(part.prompts, part.tokens, part.mask, self.settings.rollout.temperature)

    def _loss(self, batch: _MiniBatch, rows: list[int], number: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Share of the loss, and stats, of the micro-batch `rows`, the `number`-th of the mini-batch.

        An empty one, dealt to a rank that must keep pace, is a pass that counts for nothing.
        """
        settings, part = self.settings, batch.rollouts.take(rows or [0])
        log_probs, entropy = self._forward(part)
        if not rows:
            return 0.0 * log_probs.sum(), {}
        device = log_probs.device
        # before the first update of a step the weights are those that sampled: the ratio is exactly one
        old = log_probs.detach() if batch.index == 0 else part.old_log_probs.to(device)
        mask, aggregation = part.mask.to(device), settings.loss.aggregation
        loss, stats = policy_loss(
            settings.loss.name,
            log_probs=log_probs,
            old_log_probs=old,
            advantages=part.advantages.to(device),
            mask=mask,
            entropy=entropy,
            options=settings.loss.options,
            aggregation=aggregation,
            normalizer=batch.normalizer,
            statistics=batch.statistics.rows(rows, mask.shape[1]) if batch.statistics else None,
            generator=self._generator(batch.step, batch.index, number),
            weights=None if part.weights is None else part.weights.to(device),
        )
        if batch.entropy_coef:
            loss = loss - batch.entropy_coef * aggregate(entropy, mask, aggregation, batch.normalizer)
        if settings.kl_loss_coef:
            divergence = kl_estimate(log_probs, part.ref_log_probs.to(device), settings.update.kl_estimator)
            loss = loss + settings.kl_loss_coef * aggregate(divergence, mask, aggregation, batch.normalizer)
        # the entropy paper's code: means of micro-batches, weighted by their share of the mini-batch's responses
        weight = 1.0 if batch.normalizer is not None else len(rows) / len(batch.rollouts)
        return weight * loss, stats


def summed(parts: list[dict[str, float]]) -> dict[str, float]:
    """Sums by name; a part that lacks a name counts as zero."""
    totals: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            totals[name] = totals.get(name, 0.0) + value
    return totals
