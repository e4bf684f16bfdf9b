"""Reward by the generator's own truth: the ceiling that no judge can exceed. Only a generated world has it."""

from typing import Any

import numpy as np

from workflow_scripts.artifacts.schemas import TRUTH
from workflow_scripts.data.nano_world import equivalent
from workflow_scripts.data.text import last_line
from workflow_scripts.rewards import Reward, RewardBatch, RewardResult


def build(config: dict[str, Any], stage: Any) -> Reward:
    """Reads the truth of the stage's split once; a response is right if its last line means the true answer."""
    table = stage.read("data", f"{stage.config['split']}.truth.parquet", TRUTH)
    truth = dict(zip(table["question_id"].to_pylist(), table["answer"].to_pylist(), strict=True))

    def reward(batch: RewardBatch) -> RewardResult:
        pairs = zip(batch.question_ids, batch.responses, strict=True)
        right = np.array([equivalent(last_line(response), truth[question]) for question, response in pairs], dtype=bool)
        values = right.astype(np.float32)
        return RewardResult(values, right, values)

    return reward
