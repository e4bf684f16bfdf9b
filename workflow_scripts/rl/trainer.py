"""The RL loop: sample, judge, filter, estimate advantages, update, measure; validated, resumed and timed.

One step: `prompts` questions x `samples` responses -> reward (z-scored if asked) -> groups whose verdicts all agree are
dropped -> advantages -> `minibatches` updates. The run is a pure function of settings, weights and questions.
"""

import time
from collections.abc import Collection
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from workflow_scripts.artifacts import StageError
from workflow_scripts.generation import make_engine
from workflow_scripts.rewards import Reward, RewardResult
from workflow_scripts.rewards.normalize import z_score
from workflow_scripts.rl.advantages import compute_advantages
from workflow_scripts.rl.batch import Rollouts, mixed_groups
from workflow_scripts.rl.checkpoint import load_checkpoint, load_shards, save_checkpoint, save_shard
from workflow_scripts.rl.forward import all_log_probs
from workflow_scripts.rl.measures import covariance_profile, response_entropy, token_entropy
from workflow_scripts.rl.rollout import Questions, Sampled, before_update, rollout_rows, sample
from workflow_scripts.rl.sampler import PromptSampler
from workflow_scripts.rl.seeds import derive_seed
from workflow_scripts.rl.settings import Settings
from workflow_scripts.rl.update import Updater, UpdateReport
from workflow_scripts.rl.validation import Validator


@dataclass
class History:
    """What a run leaves behind: rows of METRICS and VALIDATION, columns of ROLLOUTS for the kept steps."""

    metrics: list[dict[str, Any]] = field(default_factory=list)
    validation: list[dict[str, Any]] = field(default_factory=list)
    rollouts: dict[str, list] = field(default_factory=dict)


class Trainer:
    """Trains `model` in place. `stage` gives the checkpoint folder, the deadline and the places to report to."""

    def __init__(
        self,
        *,
        model: Any,
        tokenizer: Any,
        questions: Questions,
        settings: Settings,
        reward: Reward,
        stage: Any,
        monitors: dict[str, Reward] | None = None,
        validator: Validator | None = None,
        reference: Any = None,
        keep_steps: Collection[int] = (),
    ) -> None:
        """`reward` gives raw values; `monitors` ("truth", "rule") are measured and never trained on.

        `reference` is needed where a KL coefficient is not 0. The rollouts of `keep_steps` are kept.
        Raises ValueError where settings, questions and models do not fit together.
        """
        if settings.needs_reference and reference is None:
            raise ValueError("a KL coefficient is set, but there is no reference model")
        self.model, self.questions, self.settings, self.reward = model, questions, settings, reward
        self.stage, self.monitors, self.validator, self.reference = stage, monitors or {}, validator, reference
        self.keep_steps = frozenset(keep_steps)
        self.sampler = PromptSampler(len(questions), settings.rollout.prompts, settings.seed)
        self.engine = make_engine(settings.rollout.engine, model, tokenizer)
        self.updater = Updater(model, settings)
        self.history = History()
        self._unsaved: dict[str, list] = {}

    def train(self) -> History:
        """Run to the last step, from the newest checkpoint if there is one."""
        done = self._resume()
        self.stage.log(self.settings.geometry())
        if done == 0:
            self._validate(0)
        started, tokens = time.monotonic(), 0
        for step in range(done + 1, self.settings.steps + 1):
            row, count = self._step(step)
            self.history.metrics.append(row)
            if self.validator and self.validator.due(step, self.settings.steps):
                self._validate(step)
            tokens += count
            now = time.monotonic()
            self._report(step, row, (now - started) / (step - done), tokens / (now - started))
            late = self.stage.deadline is not None and now >= self.stage.deadline
            if late or step % self.settings.checkpoint_every == 0:
                self._save(step)
            if late and step < self.settings.steps:
                raise StageError(f"time budget used up after step {step} of {self.settings.steps}: saved, run it again")
        self._keep(self._unsaved, self.history.rollouts)
        return self.history

    # ------------------------------------------------------------------------------------------ one step
    def _step(self, step: int) -> tuple[dict[str, Any], int]:
        """The METRICS row of `step` and the number of generated tokens."""
        settings = self.settings
        with self._timed("generation"):
            sampled = sample(
                self.engine,
                self.questions,
                self.sampler.step(step),
                samples=settings.rollout.samples,
                max_tokens=settings.rollout.max_tokens,
                temperature=settings.rollout.temperature,
                seed=derive_seed(settings.seed, "rollout", step),
            )
        with self._timed("old log-probabilities"):
            old, entropy = before_update(
                self.model,
                sampled,
                temperature=settings.rollout.temperature,
                budget=settings.update.micro_batch_tokens,
            )
        with self._timed("reward"):
            batch = sampled.reward_batch(self.questions)
            result = self.reward(batch)
        with self._timed("monitoring"):
            monitored = {name: float(np.mean(reward(batch).verdicts)) for name, reward in self.monitors.items()}
        if step in self.keep_steps:
            rows = rollout_rows(step, sampled, self.questions, result, settings.rollout.samples)
            self._keep(rows, self._unsaved)
        kept = self._kept_rollouts(sampled, result, old, entropy)
        row = self._measure(step, sampled, result, entropy, kept, monitored)
        with self._timed("update"):
            reports = list(self.updater.run(kept, step))
        return row | _update_figures(reports, self.updater, step, settings), int(sampled.generation.mask.sum())

    def _kept_rollouts(
        self, sampled: Sampled, result: RewardResult, old: torch.Tensor, entropy: torch.Tensor
    ) -> Rollouts:
        """The rollouts of mixed groups with their advantages."""
        settings, generation = self.settings, sampled.generation
        values = z_score(result.values) if settings.normalize_reward else result.values
        count = len(sampled.asked)
        groups = torch.arange(count) // settings.rollout.samples
        verdicts = torch.from_numpy(np.asarray(result.verdicts, dtype=bool))
        keep = mixed_groups(verdicts, groups) if settings.filter_groups else torch.ones(count, dtype=torch.bool)
        rollouts = Rollouts(
            prompts=sampled.prompts,
            tokens=generation.tokens,
            mask=generation.mask,
            groups=groups,
            old_log_probs=old,
            entropy=entropy,
            rewards=torch.from_numpy(np.asarray(values, dtype=np.float32)),
            verdicts=verdicts,
            advantages=torch.zeros(generation.mask.shape),
        ).take(torch.nonzero(keep).flatten().tolist())
        return self._with_advantages(rollouts) if len(rollouts) else rollouts

    def _with_advantages(self, rollouts: Rollouts) -> Rollouts:
        settings, token_kl, reference = self.settings, None, None
        if settings.needs_reference:
            with self._timed("reference"):
                reference, _ = all_log_probs(
                    self.reference,
                    rollouts.prompts,
                    rollouts.tokens,
                    rollouts.mask,
                    budget=settings.update.micro_batch_tokens,
                    temperature=settings.rollout.temperature,
                )
            token_kl = rollouts.old_log_probs - reference
        advantages = compute_advantages(
            settings.advantage.name,
            rewards=rollouts.rewards,
            groups=rollouts.groups,
            mask=rollouts.mask,
            token_kl=token_kl,
            options=settings.advantage_options,
        )
        return rollouts.with_advantages(advantages, reference)

    def _measure(
        self,
        step: int,
        sampled: Sampled,
        result: RewardResult,
        entropy: torch.Tensor,
        kept: Rollouts,
        monitored: dict[str, float],
    ) -> dict[str, Any]:
        mask, samples = sampled.generation.mask, self.settings.rollout.samples
        return {
            "step": step,
            "reward": float(np.mean(result.values)),
            "verdict": float(np.mean(result.verdicts)),
            "truth": monitored.get("truth"),
            "rule": monitored.get("rule"),
            "entropy": response_entropy(kept.entropy, kept.mask),
            "entropy_all": response_entropy(entropy, mask),
            "entropy_token": token_entropy(entropy, mask),
            "length": float(mask.sum(dim=-1).double().mean()),
            "truncated": float(sampled.generation.truncated.double().mean()),
            "groups": len(sampled.asked) // samples,
            "groups_kept": len(torch.unique(kept.groups)),
            **covariance_profile(kept.old_log_probs, kept.advantages, kept.mask),
        }

    # -------------------------------------------------------------------------- validation and progress
    def _validate(self, step: int) -> None:
        if self.validator is None:
            return
        with self._timed("validation"):
            rows = self.validator.run(self.engine, self.model, step)
        self.history.validation.extend(rows)
        total = rows[-1]
        self.stage.log(
            f"validation after step {step}: accuracy {total['accuracy']:.3f} rule {total['rule']:.3f} "
            f"entropy {total['entropy']:.3f}"
        )

    def _report(self, step: int, row: dict[str, Any], seconds: float, tokens_per_second: float) -> None:
        figures = {
            "reward": row["reward"],
            "entropy": row["entropy_all"],
            "tokens/s": tokens_per_second,
            "eta_s": seconds * (self.settings.steps - step),
        }
        self.stage.progress(step, self.settings.steps, **figures)

    @contextmanager
    def _timed(self, phase: str) -> Any:
        start = time.perf_counter()
        yield
        self.stage.time(phase, time.perf_counter() - start)

    # --------------------------------------------------------------------------------- save and resume
    def _save(self, step: int) -> None:
        folder = self.stage.checkpoints
        with self._timed("checkpoint"):
            if self._unsaved:
                save_shard(folder, step, self._unsaved)
                self._keep(self._unsaved, self.history.rollouts)
                self._unsaved = {}
            state = {"metrics": self.history.metrics, "validation": self.history.validation}
            save_checkpoint(folder, step, self.model, self.updater.optimizer, state)

    def _resume(self) -> int:
        """Restore the newest checkpoint; the number of rollout steps that it has behind it."""
        state = load_checkpoint(self.stage.checkpoints, self.model, self.updater.optimizer)
        if state is None:
            return 0
        self.history = History(
            state["metrics"], state["validation"], load_shards(self.stage.checkpoints, state["step"])
        )
        self.stage.log(f"resumed after step {state['step']} of {self.settings.steps}")
        return state["step"]

    @staticmethod
    def _keep(rows: dict[str, list], into: dict[str, list]) -> None:
        for name, values in rows.items():
            into.setdefault(name, []).extend(values)


def _update_figures(reports: list[UpdateReport], updater: Updater, step: int, settings: Settings) -> dict[str, Any]:
    """The METRICS columns of the updates of one step; zeros and `skipped` where no group was kept."""
    done = [report for report in reports if not report.skipped]
    stats: dict[str, float] = {}
    for report in done:
        for name, value in report.stats.items():
            stats[name] = stats.get(name, 0.0) + value
    tokens, count = max(stats.get("tokens", 0.0), 1.0), max(len(done), 1)
    return {
        "loss": sum(report.loss for report in done) / count,
        "grad_norm": sum(report.grad_norm for report in done) / count,
        "lr": reports[-1].lr if reports else updater.learning_rate(step * settings.update.minibatches),
        "kl": stats.get("kl_sum", 0.0) / tokens,
        "clip_fraction": stats.get("clipped", 0.0) / tokens,
        "selected": int(stats.get("selected", 0)),
        "selected_positive": int(stats.get("selected_positive", 0)),
        "skipped": len(done) < len(reports) or not reports,
    }
