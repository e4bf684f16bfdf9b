"""Graders of sampled answers: the generator's truth, the rules, the teacher. Each pair is graded once."""

from collections.abc import Callable
from typing import Any

import numpy as np

from workflow_scripts.rewards.rule import Verdict, grade

Pairs = list[tuple[str, str]]


def once(judge_pair: Callable[[str, str], bool], pairs: Pairs) -> list[bool]:
    """Verdicts on N pairs of strings; equal pairs are judged once."""
    known = {pair: judge_pair(*pair) for pair in dict.fromkeys(pairs)}
    return [known[pair] for pair in pairs]


def grade_by_truth(answers: list[str], truths: list[str]) -> list[bool]:
    """Whether each last line means the true answer, by the generator's own equivalence."""
    from workflow_scripts.data.nano_world import equivalent

    return once(equivalent, list(zip(answers, truths, strict=True)))


def grade_by_rule(responses: list[str], references: list[str], rule: str) -> list[bool]:
    """Whether a rule accepts each whole response."""
    pairs = list(zip(responses, references, strict=True))
    return once(lambda response, reference: grade(response, reference, rule=rule) is Verdict.EQUAL, pairs)


def grade_by_judge(
    judge: Any, questions: list[str], answers: list[str], references: list[str]
) -> tuple[list[bool], np.ndarray]:
    """(verdicts, normalised P(YES) (N,) float64) of a judge on last lines; content-free ones are not asked about."""
    from workflow_scripts.rewards.judge import judge_answers

    scores = judge_answers(judge, questions, answers, references)
    return scores.verdicts.tolist(), scores.p_yes
