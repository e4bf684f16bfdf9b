"""Sums and differences of small numbers: the numeric control subject. References are always plain digits.

After the task family `chain_sum` of reasoning-gym, whose prompts wrap the same sum in a sentence.
"""

from random import Random

from workflow_scripts.data.nano_world.problems import Problem, running, shifts

HIGHEST = 30  # partial sums stay in 1..30, so that every single addition can be learned


def draw(rng: Random, level: int) -> Problem:
    """Return a problem with `level` additions or subtractions."""
    while True:
        start, moves = rng.randint(1, HIGHEST), shifts(rng, level)
        problem = running("arithmetic", level, "number", start, moves, "=?")
        if all(1 <= value <= HIGHEST for value in problem.trace()):
            return problem
