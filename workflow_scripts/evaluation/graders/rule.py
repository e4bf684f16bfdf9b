"""By the normalising rule, on the whole response: 2505.22617's grader, with what it says beside yes and no."""

from typing import Any

import numpy as np

from workflow_scripts.rewards.rule import Verdict, grade_batch
from workflow_scripts.rewards.verdict import failure_warning


def grade(answers: list[dict], settings: dict, model: Any) -> dict[str, list]:
    """See `workflow_scripts.evaluation.graders`. Raises StageError where the check failed too often."""
    responses, references = ([row[name] for row in answers] for name in ("response", "reference"))
    verdicts = grade_batch(responses, references, kind=settings["grading"], rule="verify")
    warning = failure_warning(np.array([verdict.failed for verdict in verdicts]), "rule verify")
    if warning:
        print(f"warning: {warning}", flush=True)
    return {"rule": [verdict is Verdict.EQUAL for verdict in verdicts], "rule_verdict": verdicts}
