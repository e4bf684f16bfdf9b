"""Pairs of an answer line and a reference whose verdict is known, made from questions and their references alone.

A teacher learns YES and NO from them where no stronger model can be asked. No model's rollout goes in: the right half
is the reference itself in other words, the wrong half a near miss, a number of the question, the reference of another
question, or a line that states no single answer. Shares and kinds are those of the nano world's pairs.
"""

import re
from collections.abc import Iterator, Sequence
from random import Random

from workflow_scripts.data.nano_world.words import english_number
from workflow_scripts.data.text import question_key
from workflow_scripts.evaluation.probes import is_probe

SHARES = {"equal": 0.50, "near": 0.18, "trace": 0.08, "other": 0.12, "malformed": 0.12}
TRIES = 1000  # draws for one more pair of a kind
# How the last line of a response states its answer; the bare one is the likeliest.
FRAMES = (
    *("{}",) * 6,
    *("Therefore, the answer is {}.",) * 3,
    "Therefore, the answer is: {}",
    "The answer is {}.",
    "The final answer is {}.",
    "Answer: {}",
    "So the answer is **{}**.",
    r"\boxed{{{}}}",
    "= {}",
    "That gives {}.",
    "It is {}",
)
UNFINISHED = (
    "Therefore, the answer is not",
    "The answer is that",
    "To find the answer, we",
    "We need to find",
    "It is the",
)
_INTEGER = re.compile(r"-?\d{1,12}")
_NUMBER = re.compile(r"-?\d+")
_WORD = re.compile(r"\w+")

Question = tuple[str, str, str]  # subject, prompt, reference
Pair = tuple[str, bool, str]  # answer, whether it is right, how it was made


def make_pair(question: Question, kind: str, others: Sequence[str], rng: Random) -> Pair | None:
    """A pair of this kind; None where the draw gives none: it came out equal, empty, or a probe of the audit.

    `others`: references of questions of the same subject.
    """
    _, prompt, reference = question
    if kind == "malformed":
        answer = _malformed(prompt, reference, rng.choice(others), rng)
        return None if answer is None or is_probe(answer) else (answer, False, kind)
    value = {
        "equal": lambda: _restated(reference, rng),
        "near": lambda: _near(reference, rng),
        "trace": lambda: rng.choice(_NUMBER.findall(prompt) or [""]),
        "other": lambda: rng.choice(others),
    }[kind]()
    if kind != "equal" and (not value or _meaning(value) == _meaning(reference)):
        return None
    answer = rng.choice(FRAMES).format(value)
    return None if is_probe(answer) else (answer, kind == "equal", kind)


def _restated(reference: str, rng: Random) -> str:
    """The reference in another writing of the same meaning, more often as it is."""
    ways = [reference, reference]
    if _INTEGER.fullmatch(reference):
        value = int(reference)
        ways += [f"{value:,}", f"{value}.0", f"${value}$"]
        ways += [english_number(value)] * 2 if 0 <= value < 100 else []
    elif len(_WORD.findall(reference)) == len(reference.split()):  # words: how they are written is free
        ways += [reference.lower(), reference.capitalize(), reference.upper(), f'"{reference}"']
    else:
        ways += [f"`{reference}`", reference.replace(", ", ","), reference.replace("'", '"')]
    return rng.choice(ways)


def _near(reference: str, rng: Random) -> str:
    """Something that is nearly the reference: another number in its place, or other letters or words."""
    numbers = list(_NUMBER.finditer(reference))
    if numbers:
        place = rng.choice(numbers)
        changed = str(int(place[0]) + rng.choice((-10, -3, -2, -1, 1, 2, 3, 10)))
        if rng.random() < 0.25:  # a digit too many or too few
            changed = place[0][:-1] if rng.random() < 0.5 else place[0] + str(rng.randrange(10))
        return reference[: place.start()] + changed + reference[place.end() :]
    words = reference.split()
    if len(words) > 1:
        first, second = rng.sample(range(len(words)), 2)
        words[first], words[second] = words[second], words[first]
        return " ".join(words)
    if len(reference) < 3:
        return ""
    place = rng.randrange(len(reference) - 1)
    swapped = reference[:place] + reference[place + 1] + reference[place] + reference[place + 2 :]
    return swapped if rng.random() < 0.5 else reference[:place] + reference[place + 1 :]


def _malformed(prompt: str, reference: str, other: str, rng: Random) -> str | None:
    """A line that states no single answer: wrong whatever the reference says."""
    words = prompt.split()
    start = rng.randrange(max(1, len(words) - 8))
    part_of_question = " ".join(words[start : start + rng.randint(3, 8)])
    two = [reference, other] if rng.random() < 0.5 else [other, reference]
    if _meaning(other) == _meaning(reference):
        two = []
    choices = (
        part_of_question if _meaning(reference) not in _meaning(part_of_question) else None,
        rng.choice(UNFINISHED),
        f"The answer is {' or '.join(two)}." if two else None,
        f"{' '.join(two)}" if two else None,
    )
    return rng.choice(choices)


def _meaning(text: str) -> str:
    """What makes two values the same here: case, spaces and thousands' commas do not count."""
    return re.sub(r"(?<=\d),(?=\d{3})|[\s'\"]+", "", question_key(text))


def pairs_of(questions: Sequence[Question], rows: int, rng: Random) -> Iterator[tuple[Question, Pair]]:
    """`rows` distinct pairs, kinds by their shares, questions in random order and as often as needed.

    ValueError where the questions do not hold as many.
    """
    references: dict[str, list[str]] = {}
    for subject, _, reference in questions:
        references.setdefault(subject, []).append(reference)
    seen: set[tuple[str, str]] = set()
    for kind in rng.choices(list(SHARES), SHARES.values(), k=rows):
        for _ in range(TRIES):
            question = rng.choice(questions)
            pair = make_pair(question, kind, references[question[0]], rng)
            if pair and (question[1], pair[0]) not in seen:
                seen.add((question[1], pair[0]))
                yield question, pair
                break
        else:
            raise ValueError(f"{len(questions)} questions hold no {rows} pairs: those of kind {kind!r} are used up")
