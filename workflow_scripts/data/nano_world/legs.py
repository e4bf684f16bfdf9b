"""The legs of some animals: the out-of-domain subject, known to the base policy and kept from exploration and labels.

After the task family `leg_counting` of reasoning-gym, whose prompts explain the task in two sentences.
"""

from random import Random

from workflow_scripts.data.nano_world.forms import NUMBER
from workflow_scripts.data.nano_world.problems import Problem, neighbour

LEGS = {"hen": 2, "duck": 2, "dog": 4, "cat": 4, "cow": 4, "bee": 6, "ant": 6, "crab": 8}
HIGHEST = 30
MOST_GROUPS = 4  # more would not fit under HIGHEST: levels above four are no harder here


def draw(rng: Random, level: int) -> Problem:
    """Return a problem with `level` groups of animals and at most thirty legs."""
    while True:
        animals = rng.sample(sorted(LEGS), min(level, MOST_GROUPS))
        groups = [(animal, rng.randint(1, 9 if level == 1 else 4)) for animal in animals]
        legs = [LEGS[animal] * count for animal, count in groups]
        if sum(legs) <= HIGHEST:
            return _problem(level, groups, legs)


def _problem(level: int, groups: list[tuple[str, int]], legs: list[int]) -> Problem:
    def explain(step: int, before: int, after: int) -> str:
        return NUMBER.text(after) if step == 0 else f"+{legs[step]}={NUMBER.text(after)}"

    return Problem(
        subject="legs",
        level=level,
        prompt=",".join(f"{animal}*{count}" for animal, count in groups) + " legs?",
        kind="number",
        start=0,
        steps=len(legs),
        advance=lambda step, value: value + legs[step],
        slip=neighbour("number"),
        explain=explain,
    )
