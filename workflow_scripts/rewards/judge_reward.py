"""Reward by a generative judge that reads question, last line and reference and says YES or NO (2503.23829).

Binary (Eq. 3): 1 if the judge says YES. The paper samples the verdict; we take the likelier one, so that a rollout has
one reward. Soft (Eq. 4): P(YES) if it says YES, 1 - P(NO) if it says NO, 0 if it says neither. As an option
(`probability: normalized`): P(YES) / (P(YES) + P(NO)).
"""

from typing import Any

import numpy as np

from workflow_scripts.artifacts import StageError
from workflow_scripts.artifacts.schemas import AUDIT
from workflow_scripts.data.text import last_line
from workflow_scripts.rewards import Reward, RewardBatch, RewardResult
from workflow_scripts.rewards.content import is_content_free
from workflow_scripts.rewards.judge import Judge, Scores


def build(config: dict[str, Any], stage: Any) -> Reward:
    """The distilled judge of the stage's `judge` input. Raises StageError where its audit's gate failed."""
    require_passed_gate(stage)
    return from_judge(Judge.load(stage.path("judge", "model"), config["template"], config.get("batch", 256)), config)


def require_passed_gate(stage: Any) -> None:
    """Stops with one line that names the missed thresholds, unless the audit let this judge through."""
    rows = stage.read("audit", "audit.parquet", AUDIT).to_pylist()
    gate = {row["metric"]: row["value"] for row in rows if row["judge"] == "distilled" and row["versus"] == "gate"}
    if "gate" not in gate:
        raise StageError("audit of the judge: no gate row in audit.parquet")
    if gate["gate"] != 1.0:
        missed = ", ".join(name for name, value in sorted(gate.items()) if name != "gate" and value != 1.0)
        raise StageError(f"the judge failed its audit ({missed}): no arm may train on it")


def from_judge(judge: Judge, config: dict[str, Any]) -> Reward:
    """A reward from a loaded judge; `config` gives soft, threshold and probability (equation_4 | normalized)."""
    soft, threshold = config.get("soft", False), config.get("threshold", 0.5)
    probability = config.get("probability", "equation_4")
    if probability not in ("equation_4", "normalized"):
        raise ValueError(f"reward probability: {probability!r} is unknown (known: equation_4, normalized)")

    def reward(batch: RewardBatch) -> RewardResult:
        p_yes, equation_4 = judge_answers(
            judge, batch.prompts, [last_line(response) for response in batch.responses], batch.references
        )
        verdicts = p_yes >= threshold
        soft_values = equation_4 if probability == "equation_4" else p_yes
        values = (soft_values if soft else verdicts).astype(np.float32)
        return RewardResult(values, verdicts, p_yes.astype(np.float32))

    return reward


def judge_answers(
    judge: Judge, questions: list[str], answers: list[str], references: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """(normalised P(YES), soft value of Eq. 4), both (B,) float64; content-free answers get 0 without being asked.

    An answer on which the judge says neither YES nor NO (low mass) is 0 in both: it was not judged right.
    """
    p_yes, soft = np.zeros(len(answers)), np.zeros(len(answers))
    pairs = enumerate(zip(answers, references, strict=True))
    asked = [index for index, (answer, reference) in pairs if not is_content_free(answer, reference)]
    if asked:
        scores: Scores = judge.score(*([column[i] for i in asked] for column in (questions, answers, references)))
        p_yes[asked] = np.where(scores.low_mass, 0.0, scores.p_yes)
        soft[asked] = scores.equation_4
    return p_yes, soft
