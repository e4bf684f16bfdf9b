"""An answer in another of its surface forms: does a judge still say the same of it?"""

from workflow_scripts.data.nano_world.equivalence import read_value
from workflow_scripts.data.nano_world.forms import KINDS
from workflow_scripts.data.text import hash_fraction


def in_another_form(answer: str, truth: str) -> str | None:
    """The value that `answer` states, right or wrong, in another of the forms of the truth's kind.

    Which one hangs on the answer alone. None where the answer states no such value.
    """
    kind = truth.partition(":")[0]
    value = read_value(answer, kind)
    if value is None:
        return None
    texts = [KINDS[kind].text(value, form) for form in KINDS[kind].forms]
    others = [text for text in texts if text.casefold().rstrip(".") != answer.strip().casefold().rstrip(".")]
    return others[int(hash_fraction("form", answer) * len(others))]
