"""By the truth: whether the last line means the true answer, by the generator's own equivalence."""

from typing import Any

from workflow_scripts.data.nano_world import equivalent


def grade(answers: list[dict], settings: dict, model: Any) -> dict[str, list]:
    """See `workflow_scripts.evaluation.graders`."""
    return {"truth": right_by_truth([row["answer"] for row in answers], [row["truth"] for row in answers])}


def right_by_truth(answers: list[str], truths: list[str]) -> list[bool]:
    """Whether each last line means the true answer; equal pairs are compared once."""
    pairs = list(zip(answers, truths, strict=True))
    known = {pair: equivalent(*pair) for pair in dict.fromkeys(pairs)}
    return [known[pair] for pair in pairs]
