"""Kinds of values, and the surface forms in which a reference or an answer may state them.

A rule that normalises text can read the plain forms (digits, English number words, capitals, a trailing full stop). The
others need knowledge: roman numerals, German words, spelling alphabets, surnames, phrases. They are what
makes references free-form: a small network learns them from examples, a rule never does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from workflow_scripts.data.nano_world import words

Form = Callable[[int], str]  # index of a value -> its text


@dataclass(frozen=True)
class Kind:
    """A kind of value: `size` values, counted from 0, each with a text in every form.

    `canonical` is the form of policy answers, `second` their rarer alternative; `references` holds the shares of the
    forms in which a free-form reference is written (they sum to 1).
    """

    name: str
    size: int
    forms: dict[str, Form]
    canonical: str
    second: str
    references: dict[str, float]
    cyclic: bool = False

    def text(self, value: int, form: str | None = None) -> str:
        """Return `value` in `form` (the canonical one if None)."""
        return self.forms[form or self.canonical](value)


def _tens(value: int) -> str:
    tens, ones = divmod(value, 10)
    head = "" if tens == 0 else "one ten" if tens == 1 else f"{words.UNITS[tens]} tens"
    tail = "" if ones == 0 else "one one" if ones == 1 else f"{words.UNITS[ones]} ones"
    return " and ".join(part for part in (head, tail) if part) or "nothing"


NUMBER = Kind(
    name="number",
    size=31,
    forms={
        "digits": str,
        "english": words.english_number,
        "tens": _tens,
        "roman": words.roman_number,
        "german": words.german_number,
    },
    canonical="digits",
    second="english",
    references={"digits": 0.51, "english": 0.05, "tens": 0.16, "roman": 0.14, "german": 0.14},
)

LETTER = Kind(
    name="letter",
    size=len(words.LETTERS),
    forms={
        "plain": lambda v: words.LETTERS[v],
        "capital": lambda v: words.LETTERS[v].upper(),
        "named": lambda v: f"letter {words.LETTERS[v]}",
        "radio": lambda v: words.RADIO[v],
        "place": lambda v: f"the {words.ORDINALS[v]} of the alphabet",
    },
    canonical="plain",
    second="named",
    references={"plain": 0.50, "capital": 0.03, "named": 0.03, "radio": 0.23, "place": 0.21},
    cyclic=True,
)


def _calendar(name: str, english: list[str], german: list[str], unit: str) -> Kind:
    return Kind(
        name=name,
        size=len(english),
        forms={
            "short": lambda v: english[v][:3],
            "dotted": lambda v: f"{english[v][:3]}.",
            "long": lambda v: f"It is {english[v][:3]}",
            "german": lambda v: german[v],
            "place": lambda v: f"the {words.ORDINALS[v]} {unit}",
        },
        canonical="short",
        second="long",
        references={"short": 0.50, "dotted": 0.03, "long": 0.03, "german": 0.24, "place": 0.20},
        cyclic=True,
    )


WEEKDAY = _calendar("weekday", words.DAYS, words.DAYS_GERMAN, "day of the week")
MONTH = _calendar("month", words.MONTHS, words.MONTHS_GERMAN, "month of the year")

NAME = Kind(
    name="name",
    size=len(words.NAMES),
    forms={
        "first": lambda v: words.NAMES[v],
        "dotted": lambda v: f"{words.NAMES[v]}.",
        "sentence": lambda v: f"It is {words.NAMES[v]}",
        "called": lambda v: f"the one called {words.NAMES[v]}",
        "full": lambda v: f"{words.NAMES[v]} {words.SURNAMES[v]}",
        "family": lambda v: f"Dr {words.SURNAMES[v]}",
    },
    canonical="first",
    second="sentence",
    references={
        "first": 0.50, "dotted": 0.03, "sentence": 0.03, "called": 0.17, "full": 0.12, "family": 0.15,
    },
)  # fmt: skip

KINDS = {kind.name: kind for kind in (NUMBER, LETTER, WEEKDAY, MONTH, NAME)}


@cache
def readings(kind: str) -> dict[str, int]:
    """Return every accepted text of a kind, in lower case, with its value; ValueError if one text has two values."""
    known: dict[str, int] = {}
    for value in range(KINDS[kind].size):
        for form in KINDS[kind].forms.values():
            text = form(value).casefold()
            if known.setdefault(text, value) != value:
                raise ValueError(f"{text!r} stands for two values of {kind}")
    return known
