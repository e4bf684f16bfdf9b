"""Reward by the generator's own truth: the ceiling that no judge can exceed. Only a generated world has it."""

from typing import Any

import numpy as np

from workflow_scripts.artifacts.schemas import TRUTH
from workflow_scripts.data.nano_world import equivalent
from workflow_scripts.data.text import last_line
from workflow_scripts.rewards import Reward, RewardBatch, RewardResult


def build(config: dict[str, Any], stage: Any) -> Reward:
    """Reads the truth of the split once; a response is right if its last line means the true answer.

    The split is `config["split"]` of the input `config["role"]`, or else the stage's own of its `data`.
    """
    split = config.get("split", stage.config["split"])
    table = stage.read(config.get("role", "data"), f"{split}.truth.parquet", TRUTH)
    truth = dict(zip(table["question_id"].to_pylist(), table["answer"].to_pylist(), strict=True))

    def reward(batch: RewardBatch) -> RewardResult:
        pairs = zip(batch.question_ids, batch.responses, strict=True)
        right = [equivalent(last_line(response), truth[question]) for question, response in pairs]
        values = np.array(right, dtype=np.float32)
        return RewardResult(values, np.array(right, dtype=bool), values)

    return reward
