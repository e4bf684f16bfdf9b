"""English number words as values: "one hundred and five" is 105."""

_BELOW_TWENTY = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
UNITS = {word: value for value, word in enumerate(_BELOW_TWENTY.split())}
TENS = {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}


def read_number(words: list[str], start: int) -> tuple[int, int] | None:
    """(value, index behind it) of the longest number that starts at `words[start]`, or None.

    Words are case-folded and free of hyphens ("twenty", "one"). "two three" are two numbers, "twenty one" is one;
    scales must fall ("two thousand three hundred", never the reverse). "and" joins only behind "hundred" or a scale.
    """
    total, position, ceiling = 0, start, 10**12
    while True:
        group = _read_below_thousand(words, position)
        if group is None:
            break
        value, after = group
        scale = SCALES.get(words[after], 1) if after < len(words) else 1
        if scale >= ceiling:
            break
        total, position, ceiling = total + value * scale, after + (scale > 1), scale
        if scale == 1:
            break
        position = _skip_joining_and(words, position)
    if position == start:
        return None
    return total, position


def _read_below_thousand(words: list[str], start: int) -> tuple[int, int] | None:
    group = _read_below_hundred(words, start)
    if group is None:
        return None
    value, after = group
    if after < len(words) and words[after] == "hundred" and 1 <= value <= 99:
        value, after = 100 * value, after + 1
        rest = _read_below_hundred(words, _skip_joining_and(words, after))
        if rest is not None and rest[0] > 0:
            return value + rest[0], rest[1]
    return value, after


def _read_below_hundred(words: list[str], start: int) -> tuple[int, int] | None:
    word = words[start] if start < len(words) else ""
    if word in TENS:
        unit = UNITS.get(words[start + 1], 0) if start + 1 < len(words) else 0
        return (TENS[word] + unit, start + 2) if 1 <= unit <= 9 else (TENS[word], start + 1)
    return (UNITS[word], start + 1) if word in UNITS else None


def _skip_joining_and(words: list[str], position: int) -> int:
    """Steps over "and" where a number follows it: the "and" of "a hundred and five", not of "a hundred and more"."""
    follows = position + 1 < len(words) and words[position] == "and"
    return position + 1 if follows and (words[position + 1] in UNITS or words[position + 1] in TENS) else position
