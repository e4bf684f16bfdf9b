"""Generated pairs of an answer and a reference, from which the teacher and the judge base learn to say YES or NO.

They never come from a model's rollouts. Half of them are equal, mostly in different surface forms; the others are near
misses, values from the same worked solution, other values, and malformed answers: empty, cut off, a line of steps, two
answers at once, phrases without content.
"""

from random import Random

from workflow_scripts.data.nano_world.demonstrations import MARKS, answer_text, work
from workflow_scripts.data.nano_world.equivalence import read_value
from workflow_scripts.data.nano_world.forms import KINDS, Kind
from workflow_scripts.data.nano_world.problems import Problem
from workflow_scripts.data.nano_world.questions import draw_problems, pick, reference_form
from workflow_scripts.data.nano_world.settings import PLAIN_SUBJECTS, Settings
from workflow_scripts.data.text import hash_fraction, last_line

SHARES = {"equal": 0.50, "near": 0.18, "trace": 0.08, "other": 0.12, "malformed": 0.12}
# None of these is a probe of the audit (evaluation/probes.py): what a judge is audited on it must not have met.
CONTENT_FREE = ("YES", "NO", "It is", "letter", "the one called", "day", "month", "so", "first", "Dr")


def _answer_form(kind: Kind, plain: bool, rng: Random) -> str:
    draw = rng.random()
    if plain or draw < 0.72:
        return kind.canonical
    return kind.second if draw < 0.92 else rng.choice(list(kind.forms))


def _reference_form(problem: Problem, kind: Kind, rng: Random) -> str:
    # Half of them evenly over the forms, so that the rare ones are learned as well.
    if problem.subject in PLAIN_SUBJECTS or rng.random() < 0.5:
        return reference_form(problem, rng)
    return rng.choice(list(kind.forms))


def _near(kind: Kind, value: int, rng: Random) -> int:
    steps = (-10, -3, -2, -1, 1, 2, 3, 10) if kind.name == "number" else (-2, -1, 1, 2)
    moved = value + rng.choice(steps)
    return moved % kind.size if kind.cyclic or not 0 < moved < kind.size else moved


def malformed(problem: Problem, rng: Random) -> str:
    """Return an answer that states no single value: it is wrong whatever the reference says."""
    right = problem.answer
    answer = answer_text(problem, right, rng.random() < 0.5)
    style = rng.choice([style for style in MARKS if style != "direct"])
    steps = work(problem, style, problem.trace()).strip()
    choice = rng.randrange(6)
    if choice == 0:
        return ""
    if choice == 1:
        return rng.choice(CONTENT_FREE)
    if choice == 2:
        return steps
    if choice == 3:  # cut off at any place
        return steps[: rng.randint(1, len(steps))]
    if choice == 4:
        return answer[: rng.randint(0, max(0, len(answer) - 1))]
    other = KINDS[problem.kind].text(rng.randrange(KINDS[problem.kind].size))
    return rng.choice((f"{answer}{other}", f"{answer} {other}", f"{other},{answer}", f"{answer}>{other}", f"={answer}"))


def make_pair(problem: Problem, rng: Random) -> tuple[str, str, bool, str]:
    """Return (answer, reference, equivalent, kind of pair)."""
    kind, right = KINDS[problem.kind], problem.answer
    made = pick(rng, SHARES)
    reference = kind.text(right, _reference_form(problem, kind, rng))
    if made == "malformed":
        answer = last_line(malformed(problem, rng))
    else:
        value = {
            "equal": lambda: right,
            "near": lambda: _near(kind, right, rng),
            "trace": lambda: rng.choice(problem.trace(rng.randrange(problem.steps), rng)),
            "other": lambda: rng.randrange(kind.size),
        }[made]()
        answer = kind.text(value, _answer_form(kind, problem.subject in PLAIN_SUBJECTS, rng))
    return answer, reference, read_value(answer, problem.kind) == right, made


def pair_table(
    rows: int, region: str, subjects: list[str] | None, settings: Settings, seed: int
) -> tuple[dict[str, list], int]:
    """Return the columns of PAIRS for `rows` distinct pairs, and how many repeats were dropped."""
    rng = Random(f"pairs {region} {seed}")
    names = ("pair_id", "subject", "prompt", "answer", "reference", "equivalent", "kind")
    columns: dict[str, list] = {name: [] for name in names}
    seen: set[tuple[str, str, str]] = set()
    repeats = 0
    for problem in draw_problems(rng, region, subjects, settings.level_shares):
        if len(seen) == rows:
            break
        answer, reference, equivalent, made = make_pair(problem, rng)
        pair = (problem.prompt, answer, reference)
        if pair in seen:
            repeats += 1
            if repeats > 20 * rows + 1000:
                raise ValueError(f"nano world: region {region!r} holds no {rows} pairs of {subjects or 'all subjects'}")
            continue
        seen.add(pair)
        name = f"{int(hash_fraction(*pair) * 2**56):014x}"
        row = (name, problem.subject, *pair, equivalent, made)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    return columns, repeats
