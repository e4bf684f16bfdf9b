"""By the teacher, on the last non-empty line: the majority of m verdicts, ties are right (2503.23829, 4.1; m = 1).

The judge reads its template once per distinct (question, last line, reference). At a vote temperature of 0 its verdict
is the likelier of YES and NO; above it m verdicts are drawn for each answer by their probabilities. Answers without
content, and those to which it would say neither, are wrong.
"""

from collections.abc import Callable
from typing import Any

from workflow_scripts.rewards.judge import Judge, Scores, judge_answers, load_judge
from workflow_scripts.rewards.votes import majority, sample_votes


def load(stage: Any) -> Judge:
    """The model of the stage's `teacher` input, to be closed."""
    return load_judge(stage, "teacher", stage.config["teacher"])


def grade(answers: list[dict], settings: dict, model: Callable[[], Judge]) -> dict[str, list]:
    """See `workflow_scripts.evaluation.graders`."""
    columns = [[row[name] for row in answers] for name in ("prompt", "answer", "reference")]
    scores = judge_answers(model(), *columns)
    verdicts = _voted(answers, scores, settings) if settings["vote_temperature"] else scores.verdicts.tolist()
    return {"teacher": verdicts, "teacher_p_yes": scores.p_yes.tolist()}


def _voted(answers: list[dict], scores: Scores, settings: dict) -> list[bool]:
    verdicts = []
    for row, p_yes, answered in zip(answers, scores.p_yes, scores.answered, strict=True):
        draw = (settings["seed"], row["benchmark"], row["question_id"], row["sample"])
        votes = sample_votes(p_yes, settings["votes"], settings["vote_temperature"], *draw)
        verdicts.append(bool(answered) and majority(votes))
    return verdicts
