r"""Grading by rule: is the answer of a response the reference?

Three rules. `verify`, the product's best: extraction, then equality of normal forms (`normal_form`: strings, number
words, numbers by value, lists element by element), then, for mathematics, equality by symbols. `contains`, the reward
paper's (2503.23829, 4.2). `boxed`, the entropy paper's 0/1 grader (2505.22617): only the last \boxed{} counts, and it
is right by its string (`mathd`), or by math-verify with its own leniency; the paper's third check, sympy on a string
that Python parses, is contained in these and left out.

The cheap paths are total and take linear time. What they leave open goes to a pool of killable workers (`symbols`),
whose TIMEOUT and ERROR are verdicts as well. A text never goes there.
"""

import re

from workflow_scripts.data.text import last_line
from workflow_scripts.rewards.content import is_content_free
from workflow_scripts.rewards.extract import extract_answer, last_boxed
from workflow_scripts.rewards.latex import plain, without_lone_unit
from workflow_scripts.rewards.mathd import mathd
from workflow_scripts.rewards.normal_form import MAX_CHARS, normal_form, without_outer_brackets
from workflow_scripts.rewards.symbols import is_mathematical, symbolic_verdicts
from workflow_scripts.rewards.verdict import Verdict

__all__ = ["KINDS", "RULES", "Verdict", "compare", "grade", "grade_batch"]

KINDS = ("math", "text")
RULES = ("verify", "contains", "boxed")
_SIX_PLACES = re.compile(r"\.\d{6}")
_STYLES = {"verify": "strict", "boxed": "lenient"}


def grade(response: str, reference: str, *, kind: str = "math", rule: str = "verify") -> Verdict:
    """Verdict on a whole response (its answer is extracted by the rule) against a reference answer.

    `kind` math also takes off LaTeX mark-up, looks for a box, reads "x = 5" as 5 and asks about symbols; text compares
    words and numbers only. UNPARSABLE: no answer was found, it is content-free, either side is longer than MAX_CHARS
    characters, or the symbols of either cannot be read or are not safe to read. Raises ValueError on an unknown kind or
    rule.
    """
    return grade_batch([response], [reference], kind=kind, rule=rule)[0]


def grade_batch(
    responses: list[str], references: list[str], *, kind: str = "math", rule: str = "verify"
) -> list[Verdict]:
    """`grade` of N pairs, equal ones once, and the expensive ones of all at the same time."""
    if kind not in KINDS:
        raise ValueError(f"grading kind: {kind!r} is unknown (known: {', '.join(KINDS)})")
    if rule not in RULES:
        raise ValueError(f"grading rule: {rule!r} is unknown (known: {', '.join(RULES)})")
    if kind == "math":
        references = [last_boxed(reference) or reference for reference in references]
    pairs = list(zip(responses, references, strict=True))
    cheap = {pair: _cheap(*pair, kind, rule) for pair in dict.fromkeys(pairs)}
    if kind == "text" or rule == "contains":
        return [cheap[pair][0] for pair in pairs]
    answers = {
        pair: answer
        for pair, (verdict, answer) in cheap.items()
        if verdict is Verdict.DIFFERENT and not _is_settled(answer, pair[1])
    }
    asked = symbolic_verdicts([(_STYLES[rule], answer, pair[1]) for pair, answer in answers.items()])
    symbolic = dict(zip(answers, asked, strict=True))
    return [symbolic.get(pair, cheap[pair][0]) for pair in pairs]


def compare(answer: str, reference: str, kind: str = "math") -> Verdict:
    """Verdict on an extracted answer, by equality of normal forms alone."""
    if is_content_free(answer, reference) or max(len(answer), len(reference)) > MAX_CHARS:
        return Verdict.UNPARSABLE
    if answer.strip() == reference.strip():
        return Verdict.EQUAL
    spellings = [(answer, reference), without_lone_unit(answer, reference)] if kind == "math" else [(answer, reference)]
    equal = any(_same_form(*spelling, kind) for spelling in dict.fromkeys(spellings))
    return Verdict.EQUAL if equal else Verdict.DIFFERENT


def _cheap(response: str, reference: str, kind: str, rule: str) -> tuple[Verdict, str]:
    """The verdict without symbols, and the answer it is about."""
    if rule == "contains":
        answer = last_line(response)
        return _contains(answer, reference), answer
    if rule == "verify":
        answer = extract_answer(response, boxed=kind == "math")
        return compare(answer, reference, kind), answer
    answer = last_boxed(response)
    if answer is None:
        return Verdict.UNPARSABLE, ""
    verdict = compare(answer, reference, kind)
    same_string = verdict is Verdict.DIFFERENT and mathd(answer) == mathd(reference)
    return (Verdict.EQUAL if same_string else verdict), answer


def _is_settled(answer: str, reference: str) -> bool:
    """Whether symbols add nothing: one of two different texts has words, or both are single numbers or names.

    A decimal of six places or more may be a rounded fraction, and a command (\\pi, \\infty) a number.
    """
    if not (is_mathematical(answer) and is_mathematical(reference)):
        return True
    both = answer + " " + reference
    if "\\" in both.replace("\\frac", "") or _SIX_PLACES.search(both):
        return False
    return all(len(normal_form(plain(text))) == 1 for text in (answer, reference))


def _same_form(answer: str, reference: str, kind: str) -> bool:
    return any(_same(a, r, kind) for a in _readings(answer, kind) for r in _readings(reference, kind))


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
