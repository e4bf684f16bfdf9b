"""Rewards: what a response is worth, by rule, judge, teacher or truth.

`make_reward` builds the one that a config names. Every reward gives a value per response, on which the policy is
trained, and a verdict per response (right or wrong), by which groups are filtered and metrics are counted: a soft value
is never thresholded twice in different places.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

REWARDS = {
    "rule": "workflow_scripts.rewards.rule_reward",
    "judge": "workflow_scripts.rewards.judge_reward",
    "teacher": "workflow_scripts.rewards.teacher_reward",
    "truth": "workflow_scripts.rewards.truth_reward",
}


@dataclass(frozen=True)
class RewardBatch:
    """B responses with what is known of their questions; five lists of length B. `prompts` are the bare questions."""

    question_ids: list[str]
    subjects: list[str]
    prompts: list[str]
    responses: list[str]
    references: list[str]

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in vars(self).items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"reward batch: columns of unequal length {lengths}")


@dataclass(frozen=True)
class RewardResult:
    """`values` (B,) float32: what the policy is trained on. `verdicts` (B,) bool: counted as right.

    `p_yes` (B,) float32: the normalised P(YES) of a judge, or the value of any other reward. `failed` (B,) bool: where
    a rule timed out or failed, which is no verdict on the response; None from any other reward.
    """

    values: np.ndarray
    verdicts: np.ndarray
    p_yes: np.ndarray
    failed: np.ndarray | None = None


Reward = Callable[[RewardBatch], RewardResult]


def make_reward(config: dict[str, Any], stage: Any) -> Reward:
    """The reward named by `config["kind"]`; `stage` gives it its artifacts (a judge, a truth file).

    Values are raw: whether they are z-scored over the batch (`normalize.z_score`) is for the trainer to say. Raises
    ValueError on an unknown kind and whatever the stage raises for a missing artifact.
    """
    kind = config["kind"]
    if kind not in REWARDS:
        raise ValueError(f"reward kind: {kind!r} is unknown (known: {', '.join(REWARDS)})")
    return importlib.import_module(REWARDS[kind]).build(config, stage)
