"""Noisy worked examples in three styles, from which the base policy learns.

direct    the answer at once; the likeliest style, with a low ceiling: a tiny network cannot do long work in its head.
brief     the values after each step, marked by ">", then the answer on its own line.
careful   each step written out, marked by "#"; the rarest style, and the one in which each step is easiest.

Which style a response follows is chosen at its first token. A slip puts a wrong value in one place; the work goes on
from it, so that the injected noise is a second, separate source of entropy (see `entropy.py`).
"""

from random import Random

from workflow_scripts.data.nano_world.forms import KINDS
from workflow_scripts.data.nano_world.problems import Problem
from workflow_scripts.data.nano_world.questions import draw_problems, pick
from workflow_scripts.data.nano_world.settings import PLAIN_SUBJECTS, Settings
from workflow_scripts.data.text import question_id

MARKS = {"direct": "", "brief": ">", "careful": "#"}


def work(problem: Problem, style: str, trace: list[int]) -> str:
    """Return the lines before the answer ("" for `direct`), with the newline that ends them."""
    text = KINDS[problem.kind].text
    if style == "direct":
        return ""
    if style == "brief":
        return "".join(f">{text(value)}" for value in trace) + "\n"
    befores = [problem.start, *trace]
    return "#" + "".join(problem.explain(i, befores[i], value) for i, value in enumerate(trace)) + "\n"


def answer_text(problem: Problem, value: int, second: bool) -> str:
    """Return the last line: the canonical form, or the kind's second form in the free-form subjects."""
    kind = KINDS[problem.kind]
    return kind.text(value, kind.second if second and problem.subject not in PLAIN_SUBJECTS else None)


def demonstrate(problem: Problem, settings: Settings, rng: Random) -> tuple[str, str, bool]:
    """Return (response, style, noisy) of one worked example."""
    style = pick(rng, dict(settings.style_shares))
    noisy = rng.random() < dict(settings.noise)[style]
    last = problem.steps - 1
    slip_at = None if not noisy else last if style == "direct" else rng.randint(0, last)
    trace = problem.trace(slip_at, rng)
    answer = answer_text(problem, trace[-1], rng.random() < settings.second_form)
    return work(problem, style, trace) + answer, style, noisy


def demonstration_table(
    rows: int, region: str, subjects: list[str] | None, settings: Settings, seed: int
) -> dict[str, list]:
    """Return the columns of DEMONSTRATIONS. Questions may repeat, each time solved anew."""
    rng = Random(f"demonstrations {region} {seed}")
    names = ("question_id", "subject", "prompt", "response", "style", "noisy")
    columns: dict[str, list] = {name: [] for name in names}
    for problem, _ in zip(draw_problems(rng, region, subjects, settings.lesson_shares), range(rows), strict=False):
        row = (question_id(problem.subject, problem.prompt), problem.subject, problem.prompt)
        for name, value in zip(names, (*row, *demonstrate(problem, settings, rng)), strict=True):
            columns[name].append(value)
    return columns
