"""Raters of audited answers: the generator's truth and the rules. Each pair is graded once."""

from collections.abc import Callable

import numpy as np

from workflow_scripts.rewards.rule import Verdict, grade_batch
from workflow_scripts.rewards.verdict import failure_warning

Pairs = list[tuple[str, str]]


def once(judge_pair: Callable[[str, str], bool], pairs: Pairs) -> list[bool]:
    """Verdicts on N pairs of strings; equal pairs are judged once."""
    known = {pair: judge_pair(*pair) for pair in dict.fromkeys(pairs)}
    return [known[pair] for pair in pairs]


def grade_by_truth(answers: list[str], truths: list[str]) -> list[bool]:
    """Whether each last line means the true answer, by the generator's own equivalence."""
    from workflow_scripts.data.nano_world import equivalent

    return once(equivalent, list(zip(answers, truths, strict=True)))


def grade_by_rule(responses: list[str], references: list[str], rule: str, kind: str) -> list[bool]:
    """Whether a rule accepts each whole response; `kind`: math or text, as the data set has it."""
    return [verdict is Verdict.EQUAL for verdict in verdicts_by_rule(responses, references, rule, kind)]


def verdicts_by_rule(
    responses: list[str], references: list[str], rule: str, kind: str, log: Callable[[str], None] = print
) -> list[Verdict]:
    """The same as verdicts, which tell a wrong answer from a failed check. Raises StageError where too many failed."""
    verdicts = grade_batch(responses, references, kind=kind, rule=rule)
    warning = failure_warning(np.array([verdict.failed for verdict in verdicts]), f"rule {rule}")
    if warning:
        log(f"warning: {warning}")
    return verdicts
