r"""Equality by symbols with math-verify, as a worker of the verifier pool runs it; nothing here is safe elsewhere.

What math-verify builds may take any time and memory; it reads LaTeX by a grammar, and nothing is evaluated by Python.
Two styles. `strict`: nothing is dropped from an answer; formulas are compared by value, numbers by relative difference
(math-verify rounds to 6 decimals, for which 2e-7 and 1e-7 are equal), intervals with relations. `lenient`: math-verify
as it comes, with its own search for the answer and its own idea of units, as in the entropy paper's grader.
"""

import logging
import random
import re
from collections import Counter
from functools import cache, lru_cache
from typing import Any

from workflow_scripts.rewards.latex_parser import quicken
from workflow_scripts.rewards.verdict import Verdict

STYLES = ("strict", "lenient")
DIGITS = 50  # to which numbers are evaluated
MOST_DIGITS, ZERO = 5000, "1e-2000"  # an exact difference is zero if so many digits show none: 2^2022 - 1 is not 2^2022
DECIMAL = 1e-12  # relative difference of two decimals
ROUNDED = 5e-6  # of a decimal and an exact number: six digits, rounded
_BASE = re.compile(r"\d\s*_\s*\{?\s*(-?\d+)")
_DEGREES = re.compile(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})|\\degree\b")


def check(style: str, answer: str, reference: str) -> str:
    """The verdict on two LaTeX texts without dollar signs: equal, different or unparsable (either of the two)."""
    if style == "lenient":
        return _lenient(answer, reference)
    degrees = [bool(_DEGREES.search(text)) for text in (answer, reference)]
    if degrees[0] != degrees[1] and "\\pi" in answer + reference:
        answer, reference = (_DEGREES.sub(r"\\cdot\\frac{\\pi}{180}", text) for text in (answer, reference))
    bases = [_BASE.findall(text) for text in (answer, reference)]
    if all(bases) and bases[0] != bases[1]:  # math-verify drops the 9 of 40_9
        return Verdict.DIFFERENT
    ours, theirs = _parse(answer), _parse(reference)
    if not ours or not theirs:
        return Verdict.UNPARSABLE
    if _is_scalar(ours[0]) and _is_scalar(theirs[0]):
        return Verdict.EQUAL if _close(ours[0], theirs[0]) else Verdict.DIFFERENT
    agree = _same_values(ours[0], theirs[0])
    if agree is not None:
        return Verdict.EQUAL if agree else Verdict.DIFFERENT
    if _repeats(ours[0]) != _repeats(theirs[0]):  # as sets, 1, 2, 1 and 1, 2 would be equal
        return Verdict.DIFFERENT
    return _compared(theirs, ours, allow_set_relation_comp=True)


def _lenient(answer: str, reference: str) -> str:
    from math_verify import LatexExtractionConfig, parse

    _set_up()
    latex_alone = [LatexExtractionConfig()]  # its other search hands numbers and operators to Python's eval
    ours, theirs = (parse(f"\\boxed{{{text}}}", latex_alone, parsing_timeout=None) for text in (answer, reference))
    return _compared(theirs, ours) if ours and theirs else Verdict.UNPARSABLE


def _compared(reference: list, answer: list, **options: Any) -> str:
    from math_verify import verify

    equal = verify(reference, answer, timeout_seconds=None, **options)
    return Verdict.EQUAL if equal else Verdict.DIFFERENT


@lru_cache(512)  # a reference comes with many answers
def _parse(text: str) -> list:
    """The expression that `text` stands for, in a list; [] for what the grammar does not know."""
    from math_verify import parse

    _set_up()
    return parse(f"${text}$", _strict_settings(), fallback_mode="no_fallback", parsing_timeout=None)


@cache
def _strict_settings() -> list:
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig

    normalization = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none", equations=False
    )
    return [LatexExtractionConfig(boxed_match_priority=-1, normalization_config=normalization)]


def _is_scalar(expression: Any) -> bool:
    from sympy import Expr

    return isinstance(expression, Expr) and not expression.free_symbols and expression.is_number


def _close(ours: Any, theirs: Any) -> bool:
    """Whether two numbers are equal, as far as their spelling is exact."""
    from sympy import Float

    ours, theirs = ours.doit(), theirs.doit()
    if ours.is_Rational and theirs.is_Rational:
        return ours == theirs
    a, b = ours.evalf(DIGITS), theirs.evalf(DIGITS)
    if not (a.is_finite and b.is_finite):
        return a == b
    size, decimals = max(abs(a), abs(b)), ours.has(Float) + theirs.has(Float)
    if decimals:
        return bool(abs(a - b) <= (ROUNDED if decimals == 1 else DECIMAL) * size)
    return bool(abs((ours - theirs).evalf(DIGITS, maxn=MOST_DIGITS)) <= Float(ZERO) * size)


def _same_values(ours: Any, theirs: Any) -> bool | None:
    """Whether two formulas have the same values at three points; None for what is no formula or has no values there.

    That is what a simplification would show, in milliseconds. Formulas that only agree where all is positive are left
    to it.
    """
    from sympy import Expr, Float, Symbol

    sides = (ours, theirs)
    if any(not isinstance(side, Expr) or side.has(*_unsampled()) for side in sides):
        return None
    named = any(isinstance(side, Symbol) for side in sides)  # \text{abc} is a name to math-verify, abc a product
    tolerance = 1e-9 if any(side.has(Float) for side in sides) else 1e-30
    names, draw = sorted(ours.free_symbols | theirs.free_symbols, key=str), random.Random(0)
    for signs, size in (((1,), 1), ((1,), 20), ((1, -1), 3)):
        point = {name: Float(draw.choice(signs) * draw.uniform(0.5, 2.5) * size, DIGITS) for name in names}
        a, b = (side.subs(point).doit().evalf(DIGITS) for side in sides)
        if not (a.is_number and b.is_number and a.is_finite and b.is_finite):
            return None
        if not abs(a - b) <= tolerance * max(abs(a), abs(b)):
            return None if named or -1 in signs else False
    return True


@cache
def _unsampled() -> tuple:
    """What a few values do not show, or only after long: steps, kinks, sums without end, unknown functions."""
    import sympy
    from sympy.core.function import AppliedUndef

    names = (
        "Sum",
        "Product",
        "Integral",
        "Limit",
        "Derivative",
        "floor",
        "ceiling",
        "Mod",
        "Abs",
        "Max",
        "Min",
        "sign",
    )
    return AppliedUndef, *(getattr(sympy, name) for name in names)


def _repeats(expression: Any) -> Counter[str]:
    """The elements that a list has more than once, and how often."""
    elements = Counter(map(str, getattr(expression, "_unsorted_args", ())))
    return Counter({element: count for element, count in elements.items() if count > 1})


@cache
def _set_up() -> None:
    quicken()
    logging.disable(logging.WARNING)  # math-verify warns at its first call that it keeps no deadline: the pool does
