"""Reward by the teacher: the large judge, used as it is; the reward of the exploration stage (2503.23829, 3.3)."""

from typing import Any

from workflow_scripts.rewards import Reward
from workflow_scripts.rewards.judge import load_judge
from workflow_scripts.rewards.judge_reward import from_judge


def build(config: dict[str, Any], stage: Any) -> Reward:
    """The model of the stage's `teacher` input; settings as for a judge."""
    return from_judge(load_judge(stage, "teacher", config), config)
