"""Reward by rule: binary (a grading rule) or soft (Jaccard similarity of the last line and the reference)."""

from typing import Any

import numpy as np

from workflow_scripts.data.text import last_line
from workflow_scripts.rewards import Reward, RewardBatch, RewardResult
from workflow_scripts.rewards.content import is_content_free
from workflow_scripts.rewards.jaccard import jaccard
from workflow_scripts.rewards.rule import Verdict, grade_batch


def build(config: dict[str, Any], stage: Any) -> Reward:
    """Binary with `rule` (verify | contains | boxed), soft with `soft: true`.

    Answers are read as mathematics or text by `grading`, of the reward or else of the stage's data.
    """
    if config.get("soft", False):
        return _soft(config.get("threshold", 0.5))
    of_data = stage.config.get("grading", "math") if stage else "math"
    return _binary(config.get("rule", "verify"), config.get("grading", of_data))


def _binary(rule: str, kind: str) -> Reward:

    def reward(batch: RewardBatch) -> RewardResult:
        verdicts = grade_batch(batch.responses, batch.references, kind=kind, rule=rule)
        right = np.array([verdict is Verdict.EQUAL for verdict in verdicts], dtype=bool)
        failed = np.array([verdict.failed for verdict in verdicts], dtype=bool)
        values = right.astype(np.float32)
        return RewardResult(values, right, values, failed)

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
