"""Draw questions: which region a question belongs to, and tables of distinct questions with free-form references."""

from collections.abc import Iterator
from random import Random

from workflow_scripts.data.nano_world import arithmetic, calendar, legs, logic, sorting, strings
from workflow_scripts.data.nano_world.equivalence import truth_text
from workflow_scripts.data.nano_world.forms import KINDS
from workflow_scripts.data.nano_world.problems import LEVELS, Problem
from workflow_scripts.data.nano_world.settings import PLAIN_SUBJECTS, REGIONS, Settings
from workflow_scripts.data.text import hash_fraction, question_id, question_key

SUBJECTS = {
    "arithmetic": arithmetic,
    "sorting": sorting,
    "strings": strings,
    "calendar": calendar,
    "logic": logic,
    "legs": legs,
}
PATIENCE = 2000  # draws in a row without a new question, after which a table is given up as impossible


def region_of(prompt: str) -> str:
    """Return the region of a question: a function of its text alone."""
    place, upper = hash_fraction("region", question_key(prompt)), 0.0
    for region, share in REGIONS.items():
        upper += share
        if place < upper:
            return region
    return region


def pick(rng: Random, shares: dict[str, float]) -> str:
    """Return one key, drawn by its share."""
    return rng.choices(list(shares), weights=list(shares.values()))[0]


def draw_problems(
    rng: Random, region: str, subjects: list[str] | None, level_shares: tuple[float, ...]
) -> Iterator[Problem]:
    """Yield problems of a region without end, the subjects in turn; questions may repeat.

    ValueError names an unknown region or subject, in one line.
    """
    if region not in REGIONS:
        raise ValueError(f"nano world: unknown region {region!r} (known: {', '.join(REGIONS)})")
    for name in subjects or []:
        if name not in SUBJECTS:
            raise ValueError(f"nano world: unknown subject {name!r} (known: {', '.join(SUBJECTS)})")
    modules = [SUBJECTS[name] for name in subjects or SUBJECTS]
    while True:
        for module in modules:
            problem = None
            while problem is None or region_of(problem.prompt) != region:
                problem = module.draw(rng, rng.choices(LEVELS, weights=level_shares)[0])
            yield problem


def reference_form(problem: Problem, rng: Random) -> str:
    """Return the surface form of a question's reference: independent of the prompt but for its kind of value."""
    kind = KINDS[problem.kind]
    return kind.canonical if problem.subject in PLAIN_SUBJECTS else pick(rng, kind.references)


def question_table(
    rows: int, region: str, subjects: list[str] | None, settings: Settings, seed: int
) -> tuple[dict[str, list], dict[str, list], int]:
    """Return the columns of QUESTIONS and of TRUTH for `rows` distinct questions, and how many repeats were dropped.

    ValueError if the region does not hold that many questions.
    """
    rng = Random(f"questions {region} {seed}")
    seen: set[str] = set()
    questions: dict[str, list] = {name: [] for name in ("question_id", "subject", "prompt", "reference")}
    truths: dict[str, list] = {name: [] for name in ("question_id", "answer", "form", "level")}
    repeats = in_a_row = 0
    for problem in draw_problems(rng, region, subjects, settings.level_shares):
        if len(seen) == rows:
            break
        name = question_id(problem.subject, problem.prompt)
        if name in seen:
            repeats, in_a_row = repeats + 1, in_a_row + 1
            if in_a_row > PATIENCE:
                raise ValueError(
                    f"nano world: region {region!r} holds no {rows} questions of {subjects or 'all subjects'}"
                )
            continue
        in_a_row = 0
        seen.add(name)
        form = reference_form(problem, rng)
        kind, answer = KINDS[problem.kind], problem.answer
        _append(questions, (name, problem.subject, problem.prompt, kind.text(answer, form)))
        _append(truths, (name, truth_text(problem.kind, answer), form, problem.level))
    return questions, truths, repeats


def _append(columns: dict[str, list], row: tuple) -> None:
    for column, value in zip(columns.values(), row, strict=True):
        column.append(value)
