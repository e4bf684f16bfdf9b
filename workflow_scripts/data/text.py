"""Small text operations that several stages share: the judged line of a response, the identity of a question."""

import hashlib
import re
import unicodedata

_SPACES = re.compile(r"\s+")


def last_line(response: str) -> str:
    """Return the last non-empty line of `response`, stripped, or "" if there is none.

    This is the y_T that every reward judges (Crossing the Reward Bridge, section 3.1 and its judge prompt).
    """
    for line in reversed(response.splitlines()):
        if line.strip():
            return line.strip()
    return ""


def question_key(prompt: str) -> str:
    """Return what makes two prompts the same question: compatibility characters, case and spacing do not count."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", prompt)).strip().casefold()


def question_id(subject: str, prompt: str) -> str:
    """Return 16 hex digits that name a question by its subject and text, equal in every data set and process."""
    return hashlib.sha256(f"{subject}\x1f{question_key(prompt)}".encode()).hexdigest()[:16]


def hash_fraction(*parts: object) -> float:
    """Return a number in [0, 1) that depends only on `parts`: a draw that needs no random state."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
