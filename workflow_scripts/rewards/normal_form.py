"""The normal form in which the rule compares answers: a tuple of tokens, the same for many spellings of one answer.

Words are NFKC-normalised and case-folded; articles, sentence punctuation, quotes and list separators are dropped;
numbers stand by value, whether written 1,000, 1e3, one thousand, 0.5 or 1/2. Operators, brackets, signs and units are
left alone. Not understood, on purpose: dates, units, mixed numbers, ordinals, symbols. Each step is one pass over at
most MAX_CHARS characters and nothing is ever evaluated, so no answer can make it slow.
"""

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from workflow_scripts.rewards.number_words import SCALES, read_number

MAX_CHARS = 1000  # a longer answer has no normal form (the longest references are paragraphs of about 600)
MAX_DIGITS = 100  # a longer string of digits stays a string: no arithmetic with huge numbers from model output
MAX_EXPONENT = 30

SEPARATORS = frozenset((",", ";", "and", "&"))
DROPPED = frozenset(".:!?…\"'`“”„«»‘’¿¡。、") | SEPARATORS
EMPHASIS = frozenset("*_~")
OPENING, CLOSING = "([{", ")]}"

_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d{1,2}(?!\w))?|\.\d+"
_REST = r"|[^\W\d_]+|\S"
_TOKEN = re.compile(_NUMBER + _REST)
_TOKEN_WITH_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!,?\d)|" + _NUMBER + _REST)
_SPELLING = str.maketrans(
    dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", (f"^{digit}" for digit in range(10)), strict=True))  # NFKC would make 5² into 52
    | {char: f" {char}" for char in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}  # and 1½ into 11/2
    | {"−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": "*", "·": "*", "÷": "/"}
)


@lru_cache(maxsize=1 << 16)  # a run meets each reference, and most answers, again and again
def normal_form(text: str, thousands: bool = True) -> tuple[str, ...]:
    """Tokens of `text`; a number is "#" and its value in lowest terms ("#1/2"). () for text beyond MAX_CHARS.

    `thousands`: whether "1,234" is one number or two list elements.
    """
    if len(text) > MAX_CHARS:
        return ()
    folded = unicodedata.normalize("NFKC", text.translate(_SPELLING)).replace("\u2044", "/").casefold()
    folded = re.sub(r"(?<=[^\W\d_])['’](?=[^\W\d_])", "", folded)  # don't, Euler's
    folded = re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", " ", folded)  # twenty-one, self-esteem
    raw = _split(folded, _TOKEN_WITH_THOUSANDS if thousands else _TOKEN)
    tokens = _join_fractions(_read_number_words(raw))
    kept = _without_noise(tokens)
    return tuple(kept or tokens)  # "and" and "the" may themselves be the answer


def without_outer_brackets(tokens: tuple[str, ...]) -> tuple[str, ...]:
    """`tokens` without the one pair of brackets that encloses all of them, if there is one."""
    if len(tokens) < 3 or tokens[0] not in OPENING or tokens[-1] != CLOSING[OPENING.index(tokens[0])]:
        return tokens
    depth = 0
    for token in tokens[:-1]:
        depth += (token in OPENING) - (token in CLOSING)
        if depth == 0:
            return tokens
    return tokens[1:-1]


def _is_number(token: str) -> bool:
    return len(token) > 1 and token[0] == "#"


def _split(text: str, pattern: re.Pattern[str]) -> list[str]:
    """Raw tokens with digits by value; a sign belongs to its number unless there is something to subtract from."""
    tokens: list[str] = []
    end, sign_before = 0, False
    for match in pattern.finditer(text):
        token, spaced = match.group(), match.start() > end
        end = match.end()
        if token in "+-":
            before = tokens[-1] if tokens else ""
            operand = _is_number(before) or (before != "" and before in CLOSING)
            sign_before = not operand and (spaced or not before.isalpha())
            tokens.append(token)
            continue
        value = _digits_value(token)
        if value is None:
            tokens.append(token)
        elif sign_before and not spaced:
            tokens[-1] = f"#{-value if tokens[-1] == '-' else value}"
        else:
            tokens.append(f"#{value}")
        sign_before = False
    return tokens


def _digits_value(token: str) -> Fraction | None:
    if not (token[0].isdecimal() or (token[0] == "." and len(token) > 1)) or len(token) > MAX_DIGITS:
        return None
    exponent = token.partition("e")[2]
    if exponent and abs(int(exponent)) > MAX_EXPONENT:
        return None
    return Fraction(token.replace(",", ""))


def _read_number_words(tokens: list[str]) -> list[str]:
    scales = ("hundred", *SCALES)
    words = list(tokens)
    for index, (word, after) in enumerate(pairwise(tokens)):
        if word == "a" and after in scales:
            words[index] = "one"
    read: list[str] = []
    position = 0
    while position < len(words):
        number = read_number(words, position)
        if number is None:
            read.append(words[position])
            position += 1
            continue
        value, position = number
        read.append(f"#{value}")
    return _attach_spoken_signs(read)


def _attach_spoken_signs(tokens: list[str]) -> list[str]:
    """Reads "minus five" as -5; "seven minus five" stays a difference."""
    signed: list[str] = []
    for token in tokens:
        spoken = signed and signed[-1] in ("minus", "negative") and _is_number(token)
        if spoken and not (len(signed) > 1 and _is_number(signed[-2])):
            signed[-1] = f"#{-Fraction(token[1:])}"
        else:
            signed.append(token)
    return signed


def _join_fractions(tokens: list[str]) -> list[str]:
    """Reads "1/2" as a value. A chain ("3/4/2024") is no fraction, and behind "^" the slash divides the power."""
    joined: list[str] = []
    position = 0
    while position < len(tokens):
        window = tokens[position : position + 4]
        fraction = len(window) >= 3 and window[1] == "/" and _is_number(window[0]) and _is_number(window[2])
        chained = (joined and joined[-1] in "/^") or (len(window) == 4 and window[3] == "/")
        if fraction and not chained and window[2] != "#0":
            joined.append(f"#{Fraction(window[0][1:]) / Fraction(window[2][1:])}")
            position += 3
        else:
            joined.append(tokens[position])
            position += 1
    return joined


def _without_noise(tokens: list[str]) -> list[str]:
    while tokens and tokens[0] in EMPHASIS:  # **73**
        tokens = tokens[1:]
    while tokens and tokens[-1] in EMPHASIS:
        tokens = tokens[:-1]
    kept = []
    for position, token in enumerate(tokens):
        before = tokens[position - 1] if position else ""
        after = tokens[position + 1] if position + 1 < len(tokens) else ""
        article = token == "the" and after or token in ("a", "an") and after.isalpha() and len(after) > 1
        inside_number = token == ":" and _is_number(before) and _is_number(after)  # 10:30, 2:1
        if inside_number or not (token in DROPPED or article):
            kept.append(token)
    return kept
