"""The RL loop: sample, judge, filter, estimate advantages, update, measure; validated, resumed and timed.

One step: `prompts` questions x `samples` responses -> reward -> overlong shaping -> z-score -> groups whose verdicts
all agree are dropped, and refilled if asked -> KL -> advantages -> `minibatches` updates. The run is a pure function of
settings, weights and questions. Under several ranks each samples, judges and updates its part, and all know the whole.
"""

import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from workflow_scripts.artifacts import Stage, StageError
from workflow_scripts.events import Events
from workflow_scripts.models.loading import existing_vocabulary
from workflow_scripts.rewards import Reward
from workflow_scripts.rewards.verdict import failure_warning
from workflow_scripts.rl.advantages import compute_advantages
from workflow_scripts.rl.backends import make_backend, make_reference
from workflow_scripts.rl.batch import Rollouts
from workflow_scripts.rl.checkpoint import load_checkpoint, load_shards, save_checkpoint, save_shard
from workflow_scripts.rl.collector import Collector, extend, timed
from workflow_scripts.rl.hacking import MEANINGS, warning_signs
from workflow_scripts.rl.measures import response_entropy
from workflow_scripts.rl.metrics import rollout_figures, update_figures
from workflow_scripts.rl.policy import all_log_probs
from workflow_scripts.rl.policy_engine import PROBE_PROMPTS, PolicyEngine, sharded_engine
from workflow_scripts.rl.rollout import Questions
from workflow_scripts.rl.settings import Settings
from workflow_scripts.rl.update import Updater
from workflow_scripts.rl.validation import Validator


@dataclass
class History:
    """What a run leaves behind: rows of METRICS and VALIDATION, columns of ROLLOUTS for the kept steps."""

    metrics: list[dict[str, Any]] = field(default_factory=list)
    validation: list[dict[str, Any]] = field(default_factory=list)
    rollouts: dict[str, list] = field(default_factory=dict)


class Trainer:
    """Trains `model`. `stage` gives the ranks, the checkpoint folder, the deadline and the places to report to."""

    def __init__(
        self,
        *,
        model: Any,
        tokenizer: Any,
        questions: Questions,
        settings: Settings,
        reward: Reward,
        stage: Stage,
        monitors: dict[str, Reward] | None = None,
        validator: Validator | None = None,
        reference: Any = None,
        keep_steps: Collection[int] = (),
    ) -> None:
        """`reward` gives raw values; `monitors` ("truth", "rule") are measured and never trained on.

        `reference`, the starting policy, is needed for a KL and where its responses are trained on. The rollouts of
        `keep_steps` are kept. Raises ValueError where settings, questions and models do not fit together.
        """
        if settings.needs_reference and reference is None:
            raise ValueError("a KL coefficient or rollout.responses: start is set, but there is no reference model")
        self.settings, self.stage, self.ranks, self.validator = settings, stage, stage.ranks, validator
        vocabulary = existing_vocabulary(model, tokenizer)
        self.reference = make_reference(reference, settings.update, vocabulary) if settings.has_kl else None
        own = settings.rollout.engine == "inprocess"
        self.backend = make_backend(model, settings.update, self.ranks, vocabulary, rollout_copy=own)
        engine = sharded_engine(settings, self.backend.rollout_model if own else model, tokenizer, self.ranks)
        self.engine = PolicyEngine(engine, self.backend, settings, self.ranks, questions.probe(PROBE_PROMPTS))
        offline = settings.rollout.responses == "start"
        self.collector = Collector(
            source=sharded_engine(settings, reference, tokenizer, self.ranks) if offline else self.engine,
            backend=self.backend,
            questions=questions,
            settings=settings,
            reward=reward,
            monitors=dict(monitors or {}),
            stage=stage,
            keep_steps=keep_steps,
        )
        self.updater = Updater(self.backend, settings, self.ranks)
        self.entropy_coefficient = settings.adaptive_entropy_coefficient()
        self.history, self.events = History(), Events(stage)

    @property
    def responses(self) -> int:
        """Responses sampled for training so far."""
        return self.collector.batches * self.settings.rollout.prompts * self.settings.rollout.samples

    def train(self) -> History:
        """Run to the last step, from the newest checkpoint if there is one."""
        with closing(self.events), closing(self.engine), self.stage.finishing_steps():
            return self._train()

    def _train(self) -> History:
        done = self._resume()
        self.stage.log(self.settings.geometry())
        self._follow()
        if done == 0:
            self._validate(0)
        started = before = time.monotonic()
        tokens, longest = 0, 0.0
        for step in range(done + 1, self.settings.steps + 1):
            row, count = self._step(step)
            self.history.metrics.append(row)
            self.events.add("train", row)
            if self.validator and self.validator.due(step, self.settings.steps):
                self._validate(step)
            self._watch(step)
            tokens += count
            now = time.monotonic()
            self._report(step, row, (now - started) / (step - done), tokens / (now - started))
            # a further step, and saving it, must fit: at the deadline itself the job is killed
            longest, before = max(longest, now - before), now
            reason = self.stage.must_stop(reserve=2 * longest)
            if reason or step % self.stage.checkpoint_every == 0:
                self._save(step)
            if reason and step < self.settings.steps:
                raise StageError(f"{reason} after step {step} of {self.settings.steps}: saved, run it again")
        extend(self.history.rollouts, self.collector.unsaved)
        return self.history

    # ------------------------------------------------------------------------------------------ one step
    def _step(self, step: int) -> tuple[dict[str, Any], int]:
        """The METRICS row of `step` and the number of generated tokens."""
        first = self.collector.batches
        everything, monitored = self.collector.collect(step)
        self.engine.sleep()
        self._watch_rules(monitored, step)
        kept = self._with_advantages(self.collector.kept(everything))
        row = {"step": step, "batches": self.collector.batches - first, **rollout_figures(everything, kept, monitored)}
        coefficient = self._entropy_coefficient(row["entropy_all"])
        with timed(self.stage, "update"):
            reports = list(self.updater.run(kept, step, coefficient))
            self.backend.refresh()
        row |= update_figures(reports, self.updater.learning_rate(step * self.settings.update.minibatches))
        row |= {"entropy_coef": coefficient, "entropy_change": self._entropy_change(everything, row["entropy_all"])}
        self._follow()
        return row, int(everything.mask.sum())

    def _follow(self) -> None:
        with timed(self.stage, "loading the engine"):
            self.engine.follow()

    def _watch_rules(self, monitored: dict[str, np.ndarray], step: int) -> None:
        """A line in the log where rules fail often, the end where too often (`rewards.verdict`)."""
        failed = monitored.get("rule_failed")
        warning = None if failed is None else failure_warning(failed, f"step {step}")
        if warning:
            self.stage.log(f"warning: {warning}")

    def _with_advantages(self, rollouts: Rollouts) -> Rollouts:
        settings, token_kl, reference = self.settings, None, None
        if len(rollouts) == 0:
            return rollouts.replace(advantages=torch.zeros(rollouts.mask.shape))
        if self.reference is not None:
            with timed(self.stage, "reference"):
                reference, _ = all_log_probs(
                    self.reference,
                    rollouts.prompts,
                    rollouts.tokens,
                    rollouts.mask,
                    budget=settings.update.micro_batch_tokens,
                    temperature=settings.rollout.temperature,
                    ranks=self.ranks,
                )
            token_kl = rollouts.old_log_probs - reference
        try:
            advantages = compute_advantages(
                settings.advantage.name,
                rewards=rollouts.rewards,
                groups=rollouts.groups,
                mask=rollouts.mask,
                token_kl=token_kl,
                options=settings.advantage_options,
            )
        except ValueError as error:  # too few tokens to whiten
            raise StageError(f"advantage {settings.advantage.name}: {error}") from None
        return rollouts.replace(advantages=advantages, ref_log_probs=reference)

    def _entropy_coefficient(self, entropy: float) -> float:
        """The coefficient of the entropy bonus in force for this step."""
        if self.entropy_coefficient is None:
            return self.settings.update.entropy_coef
        return self.entropy_coefficient.update(entropy)

    def _entropy_change(self, rollouts: Rollouts, before: float) -> float | None:
        """Entropy after the update less before it, on the same responses."""
        if not self.settings.measure_entropy_change:
            return None
        with timed(self.stage, "entropy change"):
            inputs = (self.backend.forward, rollouts.prompts, rollouts.tokens, rollouts.mask)
            _, entropy = all_log_probs(*inputs, budget=self.settings.update.micro_batch_tokens, ranks=self.ranks)
        return response_entropy(entropy, rollouts.mask) - before

    # -------------------------------------------------------------------------- validation and progress
    def _validate(self, step: int) -> None:
        if self.validator is None:
            return
        with timed(self.stage, "validation"):
            rows = self.validator.run(self.engine, self.backend.forward, step)
        self.history.validation.extend(rows)
        total = rows[-1]
        self.events.add("validation", total)
        self.stage.log(
            f"validation after step {step}: accuracy {total['accuracy']:.3f} rule {total['rule']:.3f} "
            f"entropy {total['entropy']:.3f}"
        )

    def _watch(self, step: int) -> None:
        """Put signs of reward hacking into the step's row; what was not seen in the step before is logged."""
        metrics = self.history.metrics
        signs = warning_signs(metrics, self.history.validation)
        before = metrics[-2]["warning"].split(",") if len(metrics) > 1 else []
        for sign in signs:
            if sign not in before:
                self.stage.log(f"warning: step {step}: sign of reward hacking ({sign}): {MEANINGS[sign]}")
        metrics[-1]["warning"] = ",".join(signs)

    def _report(self, step: int, row: dict[str, Any], seconds: float, tokens_per_second: float) -> None:
        figures = {
            "reward": row["reward"],
            "entropy": row["entropy_all"],
            "tokens/s": tokens_per_second,
            "eta_s": seconds * (self.settings.steps - step),
        }
        self.stage.progress(step, self.settings.steps, **figures)

    # --------------------------------------------------------------------------------- save and resume
    def _save(self, step: int) -> None:
        folder, first = self.stage.checkpoints, self.ranks.first
        with timed(self.stage, "checkpoint"):
            if self.collector.unsaved:
                if first:
                    save_shard(folder, step, self.collector.unsaved)
                extend(self.history.rollouts, self.collector.unsaved)
                self.collector.unsaved = {}
            state = {"metrics": self.history.metrics, "validation": self.history.validation}
            state["batches"] = self.collector.batches
            if self.entropy_coefficient:
                state["entropy_coefficient"] = self.entropy_coefficient.value
            save_checkpoint(folder, step, self.backend, state, self.ranks)

    def _resume(self) -> int:
        """Restore the newest checkpoint; the number of rollout steps that it has behind it."""
        state = load_checkpoint(self.stage.checkpoints, self.backend)
        if state is None:
            return 0
        self.history = History(
            state["metrics"], state["validation"], load_shards(self.stage.checkpoints, state["step"])
        )
        self.collector.batches = state["batches"]
        if self.entropy_coefficient:
            self.entropy_coefficient.value = state["entropy_coefficient"]
        for row in self.history.metrics:
            self.events.add("train", row)
        for row in self.history.validation:
            if row["subject"] == "all":
                self.events.add("validation", row)
        self.stage.log(f"resumed after step {state['step']} of {self.settings.steps}")
        return state["step"]
