"""Reward by a generative judge that reads question, last line and reference and says YES or NO (2503.23829).

Binary (Eq. 3): 1 if the judge says YES. The paper samples the verdict; we take the likelier one, so that a rollout has
one reward. Soft, `form: eq4` (Eq. 4): P(YES) if it says YES, 1 - P(NO) if it says NO, 0 if it says neither; `form:
normalized`: P(YES) / (P(YES) + P(NO)), what the authors' calibration script computes. They differ by at most the
probability of other tokens.
"""

from typing import Any

import numpy as np

from workflow_scripts.artifacts import StageError
from workflow_scripts.data.text import last_line
from workflow_scripts.rewards import Reward, RewardBatch, RewardResult
from workflow_scripts.rewards.judge import Judge, judge_answers, load_judge


def build(config: dict[str, Any], stage: Any) -> Reward:
    """The distilled judge of the stage's `judge` input."""
    return from_judge(load_judge(stage, "judge", config), config)


def from_judge(judge: Judge, config: dict[str, Any]) -> Reward:
    """A reward from a loaded judge; `config` gives soft, threshold and form (normalized | eq4)."""
    soft, threshold = config.get("soft", False), config.get("threshold", 0.5)
    form = config.get("form", "normalized")
    if form not in ("normalized", "eq4"):
        raise StageError(f"reward form: {form!r} is unknown (known: normalized, eq4)")

    def reward(batch: RewardBatch) -> RewardResult:
        answers = [last_line(response) for response in batch.responses]
        judged = judge_answers(judge, batch.prompts, answers, batch.references)
        verdicts = judged.answered & (judged.p_yes >= threshold)
        soft_values = judged.eq4 if form == "eq4" else judged.p_yes
        values = np.where(judged.answered, soft_values, 0.0) if soft else verdicts
        return RewardResult(values.astype(np.float32), verdicts, judged.p_yes.astype(np.float32))

    return reward
