"""By the distilled judge, on the last non-empty line: its likelier verdict, and P(YES) as a soft reward has it."""

from collections.abc import Callable
from typing import Any

from workflow_scripts.rewards.judge import Judge, judge_answers, load_judge


def load(stage: Any) -> Judge:
    """The model of the stage's `judge` input, to be closed."""
    return load_judge(stage, "judge", stage.config["judge"])


def grade(answers: list[dict], settings: dict, model: Callable[[], Judge]) -> dict[str, list]:
    """See `workflow_scripts.evaluation.graders`."""
    scores = judge_answers(model(), *([row[name] for row in answers] for name in ("prompt", "answer", "reference")))
    return {"judge": scores.verdicts.tolist(), "judge_p_yes": scores.p_yes.tolist()}
