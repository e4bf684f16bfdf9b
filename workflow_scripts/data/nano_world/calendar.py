"""The weekday or month that lies some days or months later and earlier.

After the task family `calendar_arithmetic` of reasoning-gym, whose prompts speak of dates over many years.
"""

from random import Random

from workflow_scripts.data.nano_world.forms import MONTH, WEEKDAY
from workflow_scripts.data.nano_world.problems import Problem, running, shifts


def draw(rng: Random, level: int) -> Problem:
    """Return a problem with `level` shifts of up to four days or months."""
    kind = rng.choice((WEEKDAY, MONTH))
    return running("calendar", level, kind.name, rng.randrange(kind.size), shifts(rng, level), "=?")
