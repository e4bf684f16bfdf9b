"""By the truth: whether the last line means the true answer, by the generator's own equivalence."""

from typing import Any

from workflow_scripts.data.nano_world import equivalent


def grade(answers: list[dict], settings: dict, model: Any) -> dict[str, list]:
    """See `workflow_scripts.evaluation.graders`."""
    pairs = [(row["answer"], row["truth"]) for row in answers]
    known = {pair: equivalent(*pair) for pair in dict.fromkeys(pairs)}
    return {"truth": [known[pair] for pair in pairs]}
