"""What a question is: a short prompt, and a chain of values that ends in the answer."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from workflow_scripts.data.nano_world.forms import KINDS

LEVELS = (1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Problem:
    """One question.

    advance(i, value): the value after step i, given the one before it (`start` before step 0).
    slip(value, rng): a wrong but plausible value in its place.
    explain(i, before, after): the text of step i in the `careful` style.
    """

    subject: str
    level: int
    prompt: str
    kind: str
    start: int
    steps: int
    advance: Callable[[int, int], int]
    slip: Callable[[int, Random], int]
    explain: Callable[[int, int, int], str]

    def trace(self, slip_at: int | None = None, rng: Random | None = None) -> list[int]:
        """Return the values after each step; after a slip the work goes on from the wrong value."""
        values, value = [], self.start
        for step in range(self.steps):
            value = self.advance(step, value)
            if step == slip_at:
                value = self.slip(value, rng)
            values.append(value)
        return values

    @property
    def answer(self) -> int:
        """The true value."""
        return self.trace()[-1]


def neighbour(kind: str) -> Callable[[int, Random], int]:
    """Return a slip by one to three places: what a miscount gives."""
    size, cyclic = KINDS[kind].size, KINDS[kind].cyclic

    def slip(value: int, rng: Random) -> int:
        moved = value + rng.choice((-3, -2, -1, -1, 1, 1, 2, 3))
        if cyclic:
            return moved % size
        return moved if 0 < moved < size else value - 1 if value > 1 else value + 1

    return slip


def shifts(rng: Random, count: int, largest: int = 4) -> list[int]:
    """Return `count` signed shifts of 1 to `largest`."""
    return [rng.choice((-1, 1)) * rng.randint(1, largest) for _ in range(count)]


def running(subject: str, level: int, kind: str, start: int, moves: list[int], ending: str) -> Problem:
    """Return a problem that moves a value along its kind: "12+4-7" and then `ending`."""
    size, text = KINDS[kind].size, KINDS[kind].text
    cyclic = KINDS[kind].cyclic

    def advance(step: int, value: int) -> int:
        return (value + moves[step]) % size if cyclic else value + moves[step]

    def explain(step: int, before: int, after: int) -> str:
        return (text(before) if step == 0 else "") + f"{moves[step]:+d}={text(after)}"

    return Problem(
        subject=subject,
        level=level,
        prompt=text(start) + "".join(f"{move:+d}" for move in moves) + ending,
        kind=kind,
        start=start,
        steps=len(moves),
        advance=advance,
        slip=neighbour(kind),
        explain=explain,
    )


def listing(subject: str, level: int, kind: str, order: list[int], count: int, prompt: str) -> Problem:
    """Return a problem that lists the values of `order` up to the `count`-th, which is the answer.

    A slip skips to the next value of the order, or falls back to the one before where there is none.
    """
    text = KINDS[kind].text
    place = {value: index for index, value in enumerate(order)}

    def slip(value: int, rng: Random) -> int:
        index = place[value]
        return order[index + 1] if index + 1 < len(order) and rng.random() < 0.7 or index == 0 else order[index - 1]

    def advance(step: int, value: int) -> int:
        return order[0] if step == 0 else order[min(place[value] + 1, len(order) - 1)]

    def explain(step: int, before: int, after: int) -> str:
        return ("," if step else "") + f"{step + 1}={text(after)}"

    return Problem(
        subject=subject,
        level=level,
        prompt=prompt,
        kind=kind,
        start=order[0],
        steps=count,
        advance=advance,
        slip=slip,
        explain=explain,
    )
