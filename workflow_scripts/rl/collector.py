"""Rollouts of a step: questions are sampled, answered, judged and, where a step asks for it, refilled and filtered."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from workflow_scripts.artifacts import Stage, StageError
from workflow_scripts.generation import RolloutEngine
from workflow_scripts.rewards import Reward
from workflow_scripts.rewards.normalize import z_score
from workflow_scripts.rl.backends import Backend
from workflow_scripts.rl.batch import Rollouts, mixed_groups
from workflow_scripts.rl.metrics import rule_failures
from workflow_scripts.rl.mismatch import importance_weights
from workflow_scripts.rl.rollout import Questions, Sampled, before_update, rollout_rows, sample
from workflow_scripts.rl.sampler import PromptSampler
from workflow_scripts.rl.seeds import derive_seed
from workflow_scripts.rl.settings import Settings
from workflow_scripts.rl.shaping import overlong_penalty
from workflow_scripts.rl.sharded import sharded_reward


@contextmanager
def timed(stage: Stage, phase: str) -> Iterator[None]:
    """Add the seconds within to the stage's time of a phase."""
    start = time.perf_counter()
    yield
    stage.time(phase, time.perf_counter() - start)


class Collector:
    """Samples from `source`; the policy's log-probabilities are the backend's."""

    def __init__(
        self,
        *,
        source: RolloutEngine,
        backend: Backend,
        questions: Questions,
        settings: Settings,
        reward: Reward,
        monitors: dict[str, Reward],
        stage: Stage,
        keep_steps: Collection[int],
    ) -> None:
        """The rollouts of `keep_steps` are kept in `unsaved`, as columns of ROLLOUTS."""
        self.source, self.backend, self.questions, self.settings = source, backend, questions, settings
        self.stage, self.ranks, self.keep_steps = stage, stage.ranks, frozenset(keep_steps)
        self.sampler = PromptSampler(len(questions), settings.rollout.prompts, settings.seed)
        self.reward, self.monitors = reward, monitors
        if self.ranks.world > 1:
            self.reward = sharded_reward(reward, self.ranks)
            self.monitors = {name: sharded_reward(monitor, self.ranks) for name, monitor in monitors.items()}
        self.batches = 0  # rollout batches sampled so far: as many as steps, or more with refill
        self.unsaved: dict[str, list] = {}

    def collect(self, step: int) -> tuple[Rollouts, dict[str, np.ndarray]]:
        """Rollouts with raw rewards, and the monitors' verdicts: one batch, or as many as give enough mixed groups."""
        rollout, parts, verdicts = self.settings.rollout, [], []
        for attempt in range(1, rollout.max_batches + 1):
            self.batches += 1
            part, monitored = self._batch(step, self.batches)
            parts.append(part)
            verdicts.append(monitored)
            found = sum(len(_mixed(one).groups.unique()) for one in parts)
            if found >= rollout.prompts or rollout.max_batches == 1:
                break
            if attempt == rollout.max_batches:
                raise StageError(
                    f"step {step}: {found} of {rollout.prompts} groups with mixed verdicts after {attempt} batches: "
                    f"the questions are too easy or too hard; raise rollout.max_batches, or leave it at 1"
                )
        return Rollouts.concat(parts), {name: np.concatenate([one[name] for one in verdicts]) for name in verdicts[0]}

    def _batch(self, step: int, number: int) -> tuple[Rollouts, dict[str, np.ndarray]]:
        """Batch `number`: sampled, judged, not yet shaped."""
        prompts, sampled = self.settings.rollout.prompts, self._sample(number)
        if self.settings.rollout.max_batches == 1:  # no refill: a judge in this process may need the engine's memory
            self.source.sleep()
        batch = sampled.reward_batch(self.questions)
        with timed(self.stage, "reward"):
            result = self.reward(batch)
        with timed(self.stage, "monitoring"):
            watched = {name: monitor(batch) for name, monitor in self.monitors.items()}
        monitored = {name: found.verdicts for name, found in watched.items()}
        monitored |= rule_failures([result, *watched.values()])
        if step in self.keep_steps:
            rows = rollout_rows(step, sampled, self.questions, result, first_group=(number - 1) * prompts)
            extend(self.unsaved, rows)
        rollouts = Rollouts(
            prompts=sampled.prompts,
            tokens=sampled.generation.tokens,
            mask=sampled.generation.mask,
            groups=number * prompts + torch.arange(len(sampled.asked)) // self.settings.rollout.samples,
            truncated=sampled.generation.truncated,
            rewards=torch.from_numpy(np.asarray(result.values, dtype=np.float32)),
            verdicts=torch.from_numpy(np.asarray(result.verdicts, dtype=bool)),
            **self._log_probs(sampled),
        )
        return rollouts, monitored

    def _sample(self, number: int) -> Sampled:
        rollout = self.settings.rollout
        with timed(self.stage, "generation"):
            return sample(
                self.source,
                self.questions,
                self.sampler.batch(number),
                samples=rollout.samples,
                max_tokens=rollout.max_tokens,
                temperature=rollout.temperature,
                seed=derive_seed(self.settings.seed, "rollout", number),
            )

    def _log_probs(self, sampled: Sampled) -> dict[str, torch.Tensor | None]:
        """Columns of Rollouts: the trainer's log-probabilities and entropies, those of another engine, the weights."""
        rollout, generation = self.settings.rollout, sampled.generation
        with timed(self.stage, "old log-probabilities"):
            old, entropy = before_update(
                self.backend.forward,
                sampled,
                own=rollout.responses == "policy",
                temperature=rollout.temperature,
                budget=self.settings.update.micro_batch_tokens,
                ranks=self.ranks,
            )
        engine = None if self.source.shares_weights else generation.log_probs
        weights = importance_weights(old, engine, generation.mask, rollout.importance_cap)
        return {"old_log_probs": old, "entropy": entropy, "engine_log_probs": engine, "weights": weights}

    def kept(self, everything: Rollouts) -> Rollouts:
        """The rollouts to train on, their rewards shaped and z-scored over everything that was sampled."""
        settings, rollout, rewards = self.settings, self.settings.rollout, everything.rewards
        if rollout.overlong_buffer:
            rewards = rewards + overlong_penalty(
                everything.mask.sum(dim=-1),
                max_tokens=rollout.max_tokens,
                buffer=rollout.overlong_buffer,
                weight=rollout.overlong_weight,
            )
        if settings.normalize_reward:
            rewards = torch.from_numpy(z_score(rewards.numpy()))
        shaped = everything.replace(rewards=rewards)
        return _mixed(shaped, most=rollout.prompts) if settings.filter_groups else shaped


def extend(columns: dict[str, list], rows: dict[str, list]) -> None:
    """Append rows to columns of the same table."""
    for name, values in rows.items():
        columns.setdefault(name, []).extend(values)


def _mixed(rollouts: Rollouts, most: int | None = None) -> Rollouts:
    """The groups with mixed verdicts, at most the first `most` of them."""
    keep = mixed_groups(rollouts.verdicts, rollouts.groups)
    if most is not None:
        keep &= torch.isin(rollouts.groups, rollouts.groups[keep].unique()[:most])
    return rollouts.take(torch.nonzero(keep).flatten().tolist())
