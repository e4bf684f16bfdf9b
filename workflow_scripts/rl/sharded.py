"""Sampling and judging spread over ranks: each takes its part of a batch, and all get the whole result.

What is sampled does not depend on the number of ranks, because an engine's random numbers belong to the place of a
response in the batch.
"""

from dataclasses import fields

import numpy as np
import torch

from workflow_scripts.generation import Generation, RolloutEngine
from workflow_scripts.ranks import Ranks
from workflow_scripts.rewards import Reward, RewardBatch, RewardResult


class ShardedEngine:
    """A rollout engine on every rank."""

    def __init__(self, engine: RolloutEngine, ranks: Ranks) -> None:
        self.engine, self.ranks = engine, ranks

    def generate(
        self, prompts: list[list[int]], *, samples: int, max_tokens: int, temperature: float, seed: int, first: int = 0
    ) -> Generation:
        """See `RolloutEngine`."""
        part = self.ranks.part(len(prompts))
        own = self.engine.generate(
            [prompts[index] for index in part],
            samples=samples,
            max_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
            first=first + part.start,
        )
        return _joined(self.ranks.gather(own))


def sharded_reward(reward: Reward, ranks: Ranks) -> Reward:
    """The same reward, each rank judging its part of the responses."""

    def judge(batch: RewardBatch) -> RewardResult:
        part = ranks.part(len(batch.responses))
        columns = {item.name: getattr(batch, item.name)[part.start : part.stop] for item in fields(batch)}
        results = ranks.gather(reward(RewardBatch(**columns)))
        columns = ([getattr(result, item.name) for result in results] for item in fields(RewardResult))
        return RewardResult(*(None if column[0] is None else np.concatenate(column) for column in columns))

    return judge


def _joined(parts: list[Generation]) -> Generation:
    width = max(part.tokens.shape[1] for part in parts)

    def join(name: str) -> torch.Tensor | None:
        values = [getattr(part, name) for part in parts]
        if any(value is None for value in values):
            return None
        return torch.cat([torch.nn.functional.pad(value, (0, width - value.shape[1])) for value in values])

    return Generation(
        tokens=join("tokens"),
        mask=join("mask"),
        text=[text for part in parts for text in part.text],
        truncated=torch.cat([part.truncated for part in parts]),
        log_probs=join("log_probs"),
        entropy=join("entropy"),
    )
