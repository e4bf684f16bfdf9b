"""By containment: whether the reference stands in the answer, the rule of 2503.23829 (3.1, "label in the answer")."""

from typing import Any

from workflow_scripts.evaluation.graders.rule import accepted_by_rule


def grade(answers: list[dict], settings: dict, model: Any) -> dict[str, list]:
    """See `workflow_scripts.evaluation.graders`."""
    responses, references = ([row[name] for row in answers] for name in ("response", "reference"))
    return {"contains": accepted_by_rule(responses, references, "contains", settings["grading"])}
