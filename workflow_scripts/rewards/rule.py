r"""Grading by rule: is the answer of a response the reference?

Three rules. `verify`, the product's best: extraction, then equality of normal forms (`normal_form`: strings, number
words, numbers by value, lists element by element). `contains`, the reward paper's (2503.23829, 4.2). `boxed`, the
entropy paper's 0/1 grader (2505.22617): only the last \boxed{} counts.

Nothing here parses symbols, evaluates model output or takes more than linear time. `timeout` and `error` are verdicts
of a checker that runs in a process of its own; these rules are total and never give them.
"""

from enum import StrEnum

from workflow_scripts.data.text import last_line
from workflow_scripts.rewards.content import is_content_free
from workflow_scripts.rewards.extract import extract_answer, last_boxed
from workflow_scripts.rewards.latex import plain
from workflow_scripts.rewards.normal_form import MAX_CHARS, normal_form, without_outer_brackets


class Verdict(StrEnum):
    """What a rule says; only EQUAL earns a reward."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNPARSABLE = "unparsable"
    TIMEOUT = "timeout"
    ERROR = "error"


KINDS = ("math", "text")
RULES = ("verify", "contains", "boxed")


def grade(response: str, reference: str, *, kind: str = "math", rule: str = "verify") -> Verdict:
    """Verdict on a whole response (its answer is extracted by the rule) against a reference answer.

    `kind` math also takes off LaTeX mark-up, looks for a box and reads "x = 5" as 5; text compares words and numbers
    only. UNPARSABLE: no answer was found, it is content-free, or either side is longer than MAX_CHARS characters.
    Raises ValueError on an unknown kind or rule.
    """
    if kind not in KINDS:
        raise ValueError(f"grading kind: {kind!r} is unknown (known: {', '.join(KINDS)})")
    if rule == "verify":
        return compare(extract_answer(response, boxed=kind == "math"), reference, kind)
    if rule == "contains":
        return _contains(last_line(response), reference)
    if rule == "boxed":
        answer = last_boxed(response)
        return Verdict.UNPARSABLE if answer is None else compare(answer, reference, kind)
    raise ValueError(f"grading rule: {rule!r} is unknown (known: {', '.join(RULES)})")


def compare(answer: str, reference: str, kind: str = "math") -> Verdict:
    """Verdict on an extracted answer, by equality of normal forms."""
    if is_content_free(answer, reference) or max(len(answer), len(reference)) > MAX_CHARS:
        return Verdict.UNPARSABLE
    if answer.strip() == reference.strip():
        return Verdict.EQUAL
    ours, theirs = _readings(answer, kind), _readings(reference, kind)
    equal = any(_same(a, r, kind) for a in ours for r in theirs)
    return Verdict.EQUAL if equal else Verdict.DIFFERENT


def _readings(text: str, kind: str) -> set[tuple[str, ...]]:
    """Normal forms of a text: two where "1,234" may be a number or a list."""
    text = plain(text) if kind == "math" else text
    return {normal_form(text, thousands) for thousands in (True, False)} - {()}


def _same(answer: tuple[str, ...], reference: tuple[str, ...], kind: str) -> bool:
    if kind == "math":
        answer, reference = _right_side(answer, reference), _right_side(reference, answer)
    bare = without_outer_brackets
    # "(1, 2)" is "1, 2", but "(1, 2)" is not "[1, 2]": brackets are dropped on one side only
    return answer == reference or bare(answer) == reference or answer == bare(reference)


def _right_side(tokens: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """What stands behind the last "=" ("x = 5", "12 + 9 = 21"), unless the other side is an equation as well."""
    if "=" not in tokens or "=" in other:
        return tokens
    return tokens[len(tokens) - tokens[::-1].index("=") :]


def _contains(answer: str, reference: str) -> Verdict:
    """Equal if the label string occurs in the answer, letter by letter, as the reward paper words it.

    Its false positives are the paper's: "1" is in "21", "no" is in "north", "5" is in "not 5", and an answer that lists
    every candidate contains the label.
    """
    label = reference.strip()
    if is_content_free(answer, reference) or not label:
        return Verdict.UNPARSABLE
    return Verdict.EQUAL if label in answer else Verdict.DIFFERENT
