"""Which answers are so empty that no grader needs to be asked."""

import unicodedata


def is_content_free(answer: str, reference: str = "") -> bool:
    """True for an answer without a letter, a digit or a symbol: empty, blank, or nothing but punctuation.

    Short is not empty: "B", "7", "<" and "∞" are answers. Punctuation that is literally the reference is one as well.
    """
    stripped = answer.strip()
    if stripped and stripped == reference.strip():
        return False
    return not any(unicodedata.category(char)[0] in "LNS" for char in stripped)
