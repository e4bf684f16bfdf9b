"""The k-th largest of some numbers; the worked solution lists them in falling order.

After the task family `number_sorting` of reasoning-gym, whose prompts add a long paragraph on the format of lists.
"""

from random import Random

from workflow_scripts.data.nano_world.problems import Problem, listing
from workflow_scripts.data.nano_world.words import ORDINALS

HIGHEST = 20


def draw(rng: Random, level: int) -> Problem:
    """Return a problem with `level` + 1 numbers; the harder levels ask for later places."""
    numbers = rng.sample(range(1, HIGHEST + 1), level + 1)
    order = sorted(numbers, reverse=True)
    place = rng.randint(max(1, level - 1), level)
    rank = "" if place == 1 else f" {ORDINALS[place - 1]}"
    return listing("sorting", level, "number", order, place, f"{','.join(map(str, numbers))}{rank} largest?")
