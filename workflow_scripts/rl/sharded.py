"""Sampling and judging spread over ranks: each takes its part of a batch, and all get the whole result.

What is sampled does not depend on the number of ranks, because an engine's random numbers belong to the place of a
response in the batch.
"""

from dataclasses import fields

import numpy as np

from workflow_scripts.generation import Generation, RolloutEngine
from workflow_scripts.ranks import Ranks
from workflow_scripts.rewards import Reward, RewardBatch, RewardResult
from workflow_scripts.rl.batch import joined


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
        parts = self.ranks.gather(own)
        return Generation(**{item.name: joined([getattr(part, item.name) for part in parts]) for item in fields(own)})


def sharded_reward(reward: Reward, ranks: Ranks) -> Reward:
    """The same reward, each rank judging its part of the responses."""

    def judge(batch: RewardBatch) -> RewardResult:
        part = ranks.part(len(batch.responses))
        columns = {item.name: getattr(batch, item.name)[part.start : part.stop] for item in fields(batch)}
        results = ranks.gather(reward(RewardBatch(**columns)))
        columns = ([getattr(result, item.name) for result in results] for item in fields(RewardResult))
        return RewardResult(*(None if column[0] is None else np.concatenate(column) for column in columns))

    return judge
