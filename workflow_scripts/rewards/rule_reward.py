"""Reward by rule: binary (a grading rule) or soft (Jaccard similarity of the last line and the reference)."""

from typing import Any

import numpy as np

from workflow_scripts.data.text import last_line
from workflow_scripts.rewards import Reward, RewardBatch, RewardResult
from workflow_scripts.rewards.content import is_content_free
from workflow_scripts.rewards.jaccard import jaccard
from workflow_scripts.rewards.rule import Verdict, grade


def build(config: dict[str, Any], stage: Any) -> Reward:
    """Binary with `rule` (verify | contains | boxed) and `math` or `text` grading, soft with `soft: true`."""
    return _soft(config.get("threshold", 0.5)) if config.get("soft", False) else _binary(config)


def _binary(config: dict[str, Any]) -> Reward:
    rule, kind = config.get("rule", "verify"), config.get("grading", "math")

    def reward(batch: RewardBatch) -> RewardResult:
        pairs = zip(batch.responses, batch.references, strict=True)
        right = [grade(response, reference, kind=kind, rule=rule) is Verdict.EQUAL for response, reference in pairs]
        values = np.array(right, dtype=np.float32)
        return RewardResult(values, np.array(right, dtype=bool), values)

    return reward


def _soft(threshold: float) -> Reward:
    def similarity(response: str, reference: str) -> float:
        answer = last_line(response)
        return 0.0 if is_content_free(answer, reference) else jaccard(answer, reference)

    def reward(batch: RewardBatch) -> RewardResult:
        pairs = zip(batch.responses, batch.references, strict=True)
        values = np.array([similarity(response, reference) for response, reference in pairs], dtype=np.float32)
        return RewardResult(values, values >= threshold, values)

    return reward
