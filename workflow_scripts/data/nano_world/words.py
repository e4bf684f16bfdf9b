"""Vocabulary of the surface forms: number words, alphabets, calendars and names."""

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
UNITS_GERMAN = (
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
).split()
TENS_GERMAN = "_ _ zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
UNITS_SPANISH = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete "
    "veintiocho veintinueve"
).split()
TENS_SPANISH = "_ _ veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
ROMAN = ((90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))

LETTERS = "abcdefghijkl"
RADIO = (
    "alfa bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec romeo "
    "sierra tango"
).split()
MORSE = ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... -".split()

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
DAYS_GERMAN = "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag".split()
DAYS_SPANISH = "lunes martes miércoles jueves viernes sábado domingo".split()
MONTHS = "January February March April May June July August September October November December".split()
MONTHS_GERMAN = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split()
MONTHS_SPANISH = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()

NAMES = "Ann Bob Cid Dan Eva Fay Gus Hal".split()
SURNAMES = "Stone Rivers Wood Field Marsh Hill Lake Grove".split()


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


def spanish_number(value: int) -> str:
    """Return 0..99 in Spanish words ("treinta y dos")."""
    if value < len(UNITS_SPANISH):
        return UNITS_SPANISH[value]
    tens, ones = divmod(value, 10)
    return TENS_SPANISH[tens] + (f" y {UNITS_SPANISH[ones]}" if ones else "")


def roman_number(value: int) -> str:
    """Return 0..99 as a roman numeral; zero, which has none, is "nulla"."""
    text = ""
    for size, sign in ROMAN:
        while value >= size:
            text, value = text + sign, value - size
    return text or "nulla"
