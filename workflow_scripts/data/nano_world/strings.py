"""A letter shifted along the alphabet a..l, which closes to a ring.

After the task family `caesar_cipher` of reasoning-gym, whose prompts hold whole encrypted sentences.
"""

from random import Random

from workflow_scripts.data.nano_world.forms import LETTER
from workflow_scripts.data.nano_world.problems import Problem, running, shifts


def draw(rng: Random, level: int) -> Problem:
    """Return a problem with `level` shifts of up to four letters."""
    return running("strings", level, "letter", rng.randrange(LETTER.size), shifts(rng, level), "=?")
