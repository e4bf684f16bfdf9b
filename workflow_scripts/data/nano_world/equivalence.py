"""The generator's own equivalence: whether an answer states the true value, in whichever form.

It serves audits and evaluation, and the reward of the one ceiling arm; no other training signal may use it.
"""

from workflow_scripts.data.nano_world.forms import KINDS, readings


def truth_text(kind: str, value: int) -> str:
    """Return the canonical truth of a question: kind and canonical form ("number:21")."""
    return f"{kind}:{KINDS[kind].text(value)}"


def read_value(text: str, kind: str) -> int | None:
    """Return the value that `text` states as a `kind`, or None. Case, outer spaces and a final full stop are free."""
    text = " ".join(text.split()).casefold()
    known = readings(kind)
    value = known.get(text)
    return known.get(text.rstrip(".")) if value is None else value


def equivalent(answer: str, truth: str) -> bool:
    """Return whether `answer` (the last line of a response) states the value of `truth` (TRUTH.answer).

    ValueError if `truth` is not one of this generator's.
    """
    kind, _, canonical = truth.partition(":")
    if kind not in KINDS or canonical.casefold() not in readings(kind):
        raise ValueError(f"{truth!r} is no truth of the nano world")
    value = read_value(answer, kind)
    return value is not None and value == readings(kind)[canonical.casefold()]
