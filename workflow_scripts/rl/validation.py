"""Validation on fixed questions: the same ones, sampled with the same numbers, in every arm and at every step."""

import random
from typing import Any

import numpy as np
import torch

from workflow_scripts.generation import RolloutEngine
from workflow_scripts.ranks import Ranks
from workflow_scripts.rewards import Reward
from workflow_scripts.rl.measures import response_entropy, token_entropy
from workflow_scripts.rl.rollout import Questions, before_update, sample
from workflow_scripts.rl.seeds import derive_seed
from workflow_scripts.rl.settings import ValidationSettings


class Validator:
    """Samples at temperature 1 and grades; accuracy is by the truth where there is one, else by the rule."""

    def __init__(
        self,
        questions: Questions,
        settings: ValidationSettings,
        *,
        max_tokens: int,
        rule: Reward,
        truth: Reward | None = None,
        budget: int = 16384,
        ranks: Ranks | None = None,
    ) -> None:
        """Raises ValueError where the split has fewer questions than `settings.questions`."""
        if settings.questions > len(questions):
            raise ValueError(
                f"validation.questions is {settings.questions}, but split {settings.split!r} has {len(questions)}"
            )
        self.questions, self.settings, self.max_tokens, self.budget = questions, settings, max_tokens, budget
        self.rule, self.truth, self.ranks = rule, truth, ranks
        # no seed of the run enters: arms and seeds are compared on the same questions and numbers
        order = random.Random(derive_seed("validation")).sample(range(len(questions)), settings.questions)
        self.indices = sorted(order)

    def due(self, step: int, last: int) -> bool:
        """Whether to validate after `step` rollout steps of `last`."""
        return step % self.settings.every == 0 or step == last

    def run(self, engine: RolloutEngine, forward: Any, step: int) -> list[dict[str, Any]]:
        """Rows of VALIDATION after `step` rollout steps: one per subject, sorted, then "all"."""
        sampled = sample(
            engine,
            self.questions,
            self.indices,
            samples=self.settings.samples,
            max_tokens=self.max_tokens,
            temperature=1.0,
            seed=derive_seed("validation", "sampling"),
        )
        _, entropy = before_update(forward, sampled, temperature=1.0, budget=self.budget, ranks=self.ranks)
        batch = sampled.reward_batch(self.questions)
        rule = self.rule(batch).verdicts
        right = self.truth(batch).verdicts if self.truth else rule
        subjects = np.array(batch.subjects)
        mask, rows = sampled.generation.mask, []
        for subject in [*sorted(set(batch.subjects)), "all"]:
            chosen = np.full(len(subjects), True) if subject == "all" else subjects == subject
            index = torch.from_numpy(np.flatnonzero(chosen))
            rows.append(
                {
                    "step": step,
                    "subject": subject,
                    "accuracy": float(np.mean(right[chosen])),
                    "rule": float(np.mean(rule[chosen])),
                    "entropy": response_entropy(entropy[index], mask[index]),
                    "entropy_token": token_entropy(entropy[index], mask[index]),
                    "length": float(mask[index].sum(dim=-1).double().mean()),
                    "n": int(chosen.sum()),
                }
            )
        return rows
