r"""The last and expensive path of the rules: equality by symbols, asked of killable workers.

Only texts that look like mathematics and are tame are asked about; verdicts are remembered by (answer, reference). The
pool starts with the first such pair, so that text references never start one.
"""

import importlib.util
import os
import re
import threading
from collections import OrderedDict
from functools import cache

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.rewards.symbols_worker import check
from workflow_scripts.rewards.verdict import Verdict
from workflow_scripts.rewards.verifier_pool import VerifierPool

MAX_CHARS = 300
MAX_NESTED_POWERS = 2
MAX_EXPONENT = 30_000  # references go to e^23110
MAX_FACTORIAL = 5000  # and to 2014!
REMEMBERED = 1 << 16

Question = tuple[str, str, str]  # style, answer, reference

_MARKUP = re.compile(r"\\(?:begin|end)\s*\{[a-z]+\*?\}|\\[a-zA-Z]+")
_WORD = re.compile(r"[^\W\d_]{4,}")
_FUNCTIONS = frozenset(("sqrt", "sinh", "cosh", "tanh", "asin", "acos", "atan", "arcsin", "arccos", "arctan"))
_LARGE_EXPONENT = re.compile(r"\^\s*[{(\s]*-?\s*(\d+)")
_FACTORIAL = re.compile(r"(\d*)[)}\s]*!(?!=)")
_UNICODE = str.maketrans(
    {"√": r"\sqrt ", "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "±": r"\pm "}
    | {"×": r"\times ", "·": r"\cdot ", "÷": r"\div ", "°": r"^{\circ}", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in "}
    | {"½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}"}
    | {"−": "-", "–": "-", "²": "^{2}", "³": "^{3}", "θ": r"\theta ", "$": ""}
)
_SCIENTIFIC = re.compile(r"(?<=\d)[eE]([+-]?\d{1,3})(?!\w)")
_GAMMA = re.compile(r"\\gamma(?![a-zA-Z_])")  # math-verify reads it as Euler's constant, or worse
_FACTOR = re.compile(r"(?<![\w.\\])(\d+(?:\.\d+)?)\s*(?=\\left\s*\(|\(|\\binom)")  # else read as a mixed number
_DELIMITERS = re.compile(r"(?<!\\)\\[()\[\]]|\\left\s*\.|\\right\s*\.")


def symbolic_verdicts(questions: list[Question]) -> list[Verdict]:
    """Verdicts in the order of `questions`; UNPARSABLE where a text is not tame, unasked."""
    memory = _memory()
    fresh = [one for one in dict.fromkeys(questions) if memory.get(one) is None and all(map(is_tame, one[1:]))]
    known = dict(zip(fresh, pool().verify([_prepared(one) for one in fresh]), strict=True)) if fresh else {}
    memory.add(known)
    return [known.get(one) or memory.get(one) or Verdict.UNPARSABLE for one in questions]


def forget() -> None:
    """Drop the remembered verdicts, to measure or to ask again."""
    _memory().clear()


def is_tame(text: str) -> bool:
    """Whether `text` is short, and no power or factorial in it is one that hangs a computer algebra system."""
    if len(text) > MAX_CHARS or "!!" in text.replace(" ", "") or _nested_powers(text) > MAX_NESTED_POWERS:
        return False
    factorials = [int(found[:10] or 0) for found in _FACTORIAL.findall(text)]
    exponents = [int(found[:10]) for found in _LARGE_EXPONENT.findall(text)]
    return max(factorials, default=0) <= MAX_FACTORIAL and max(exponents, default=0) <= MAX_EXPONENT


def is_mathematical(text: str) -> bool:
    """Whether nothing in `text` reads as a word."""
    words = _WORD.findall(_MARKUP.sub(" ", text))
    return bool(text.strip()) and all(word.casefold() in _FUNCTIONS for word in words)


def _prepared(question: Question) -> Question:
    style, *texts = question
    answer, reference = map(_latex, texts)
    return style, answer, reference


def _latex(text: str) -> str:
    """`text` without dollar signs and the like, its Unicode symbols and 1e-7 in LaTeX."""
    text = " ".join(_DELIMITERS.sub(" ", text.translate(_UNICODE)).split()).rstrip(".")
    text = text.replace("\\leqslant", "\\le").replace("\\geqslant", "\\ge")
    text = _GAMMA.sub(r"g_{\\gamma}", text)
    return _FACTOR.sub(r"\1\\cdot ", _SCIENTIFIC.sub(r"\\times 10^{\1}", text))


def _nested_powers(text: str) -> int:
    """How deep powers stand in exponents: 1 for x^2, 2 for x^{y^2} and x^y^2."""
    deepest, brackets, pending = 0, [], 0
    for char in text:
        if char == "^":
            pending += 1
        elif char in "{(":
            brackets.append(pending)
            pending = 0
        elif char in "})" and brackets:
            brackets.pop()
            pending = 0
        elif not (char.isalnum() or char.isspace() or char in "\\.-"):
            pending = 0
        deepest = max(deepest, pending + sum(brackets))
    return deepest


class _Memory:
    """The newest REMEMBERED verdicts."""

    def __init__(self) -> None:
        self._verdicts: OrderedDict[Question, Verdict] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, question: Question) -> Verdict | None:
        with self._lock:
            return self._verdicts.get(question)

    def clear(self) -> None:
        with self._lock:
            self._verdicts.clear()

    def add(self, verdicts: dict[Question, Verdict]) -> None:
        with self._lock:
            self._verdicts.update(verdicts)
            while len(self._verdicts) > REMEMBERED:
                self._verdicts.popitem(last=False)


@cache
def _memory() -> _Memory:
    return _Memory()


_starting = threading.Lock()
_pools: dict[int, VerifierPool] = {}


def pool() -> VerifierPool:
    """The pool of this process; one that was forked off has pipes of its own. StageError without math-verify."""
    process = os.getpid()
    with _starting:
        if process not in _pools:
            if importlib.util.find_spec("math_verify") is None:
                raise StageError("math-verify is not installed: install envs/cpu.txt, or set `grading: text`")
            _pools[process] = VerifierPool(check, preload=["workflow_scripts.rewards.symbols_warm"])
        return _pools[process]
