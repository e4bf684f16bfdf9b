"""By containment: whether the reference stands in the answer, the rule of 2503.23829 (3.1, "label in the answer")."""

from typing import Any

from workflow_scripts.rewards.rule import Verdict, grade_batch


def grade(answers: list[dict], settings: dict, model: Any) -> dict[str, list]:
    """See `workflow_scripts.evaluation.graders`."""
    responses, references = ([row[name] for row in answers] for name in ("response", "reference"))
    verdicts = grade_batch(responses, references, kind=settings["grading"], rule="contains")
    return {"contains": [verdict is Verdict.EQUAL for verdict in verdicts]}
