"""Sampling and judging spread over ranks: each takes its part of a batch, and all get the whole result.

What is sampled does not depend on the number of ranks, because an engine's random numbers belong to the place of a
response in the batch.
"""

from collections.abc import Iterable
from dataclasses import fields

import numpy as np
import torch

from workflow_scripts.generation import Generation, RolloutEngine
from workflow_scripts.ranks import Ranks
from workflow_scripts.rewards import Reward, RewardBatch, RewardResult
from workflow_scripts.rl.batch import joined


class ShardedEngine:
    """A rollout engine on every rank, or one on every group of `tensor_parallel` consecutive ranks."""

    def __init__(self, engine: RolloutEngine, ranks: Ranks, tensor_parallel: int = 1) -> None:
        """Raises ValueError where the ranks do not make whole groups."""
        if ranks.world % tensor_parallel:
            raise ValueError(f"tensor_parallel: {tensor_parallel} does not divide the {ranks.world} ranks of the job")
        self.engine, self.ranks, self.shares_weights = engine, ranks, engine.shares_weights
        self._group, self.engines = tensor_parallel, ranks.world // tensor_parallel

    def generate(
        self, prompts: list[list[int]], *, samples: int, max_tokens: int, temperature: float, seed: int, first: int = 0
    ) -> Generation:
        """See `RolloutEngine`; engine e gets the e-th of equal parts, and its ranks all make the same answers."""
        part = Ranks(self.ranks.rank // self._group, self.engines).part(len(prompts))
        own = self.engine.generate(
            [prompts[index] for index in part],
            samples=samples,
            max_tokens=max_tokens,
            temperature=temperature,
            seed=seed,
            first=first + part.start,
        )
        parts = self.ranks.gather(own)[:: self._group]
        if len(versions := {part.version for part in parts}) > 1:
            raise ValueError(f"engines with weights of versions {sorted(versions)}")
        columns = {item.name: [getattr(part, item.name) for part in parts] for item in fields(own)}
        del columns["version"]
        return Generation(**{name: joined(column) for name, column in columns.items()}, version=own.version)

    def load(self, weights: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        self.engine.load(weights, version)

    def sleep(self) -> None:
        self.engine.sleep()

    def close(self) -> None:
        self.engine.close()


def sharded_reward(reward: Reward, ranks: Ranks) -> Reward:
    """The same reward, each rank judging its part of the responses."""

    def judge(batch: RewardBatch) -> RewardResult:
        part = ranks.part(len(batch.responses))
        columns = {item.name: getattr(batch, item.name)[part.start : part.stop] for item in fields(batch)}
        results = ranks.gather(reward(RewardBatch(**columns)))
        columns = ([getattr(result, item.name) for result in results] for item in fields(RewardResult))
        return RewardResult(*(None if column[0] is None else np.concatenate(column) for column in columns))

    return judge
