"""Who comes first, second, … when each clause says who stands before whom; clauses are in random order.

After the ordering clues of the task family `zebra_puzzles` of reasoning-gym, whose prompts run to 1300 characters.
"""

from random import Random

from workflow_scripts.data.nano_world.forms import NAME
from workflow_scripts.data.nano_world.problems import Problem, listing
from workflow_scripts.data.nano_world.words import ORDINALS


def draw(rng: Random, level: int) -> Problem:
    """Return a problem with `level` clauses over `level` + 1 names."""
    order = rng.sample(range(NAME.size), level + 1)
    clauses = [f"{NAME.text(a)}<{NAME.text(b)}" for a, b in zip(order, order[1:], strict=False)]
    rng.shuffle(clauses)
    place = rng.randint(1, level + 1)
    return listing("logic", level, "name", order, place, f"{','.join(clauses)} {ORDINALS[place - 1]}?")
