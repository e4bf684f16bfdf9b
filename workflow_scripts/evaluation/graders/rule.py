"""By the normalising rule, on the whole response: 2505.22617's grader, with what it says beside yes and no."""

from typing import Any

import numpy as np

from workflow_scripts.rewards.rule import Verdict, grade_batch
from workflow_scripts.rewards.verdict import failure_warning


def grade(answers: list[dict], settings: dict, model: Any) -> dict[str, list]:
    """See `workflow_scripts.evaluation.graders`. Raises StageError where the check failed too often."""
    responses, references = ([row[name] for row in answers] for name in ("response", "reference"))
    verdicts = verdicts_by_rule(responses, references, "verify", settings["grading"])
    return {"rule": [verdict is Verdict.EQUAL for verdict in verdicts], "rule_verdict": verdicts}


def accepted_by_rule(responses: list[str], references: list[str], rule: str, kind: str) -> list[bool]:
    """Whether a rule accepts each whole response; `kind`: math or text, as the data set has it."""
    return [verdict is Verdict.EQUAL for verdict in verdicts_by_rule(responses, references, rule, kind)]


def verdicts_by_rule(responses: list[str], references: list[str], rule: str, kind: str) -> list[Verdict]:
    """The same as verdicts, which tell a wrong answer from a failed check. Raises StageError where too many failed."""
    verdicts = grade_batch(responses, references, kind=kind, rule=rule)
    warning = failure_warning(np.array([verdict.failed for verdict in verdicts]), f"rule {rule}")
    if warning:
        print(f"warning: {warning}", flush=True)
    return verdicts
