"""Vocabulary of the surface forms: number words, alphabets, calendars and names."""


def _list(text: str) -> list[str]:
    return text.split()


UNITS = _list(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
TENS = _list("_ _ twenty thirty forty fifty sixty seventy eighty ninety")
ORDINALS = _list(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
)
UNITS_GERMAN = _list(
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
)
TENS_GERMAN = _list("_ _ zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig")
ROMAN = ((90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))

LETTERS = "abcdefghijkl"
RADIO = _list(
    "alfa bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec romeo "
    "sierra tango"
)

DAYS = _list("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
DAYS_GERMAN = _list("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag")
MONTHS = _list("January February March April May June July August September October November December")
MONTHS_GERMAN = _list("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")

NAMES = _list("Ann Bob Cid Dan Eva Fay Gus Hal")
SURNAMES = _list("Stone Rivers Wood Field Marsh Hill Lake Grove")


def english_number(value: int) -> str:
    """Return 0..99 in English words ("twenty-one")."""
    if value < 20:
        return UNITS[value]
    tens, ones = divmod(value, 10)
    return TENS[tens] + (f"-{UNITS[ones]}" if ones else "")


def german_number(value: int) -> str:
    """Return 0..99 in German words ("einundzwanzig")."""
    if value < 20:
        return UNITS_GERMAN[value]
    tens, ones = divmod(value, 10)
    if ones == 0:
        return TENS_GERMAN[tens]
    return ("ein" if ones == 1 else UNITS_GERMAN[ones]) + "und" + TENS_GERMAN[tens]


def roman_number(value: int) -> str:
    """Return 0..99 as a roman numeral; zero, which has none, is "nulla"."""
    text = ""
    for size, sign in ROMAN:
        while value >= size:
            text, value = text + sign, value - size
    return text or "nulla"
