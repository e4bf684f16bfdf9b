r"""Where in a response its answer stands: the last \boxed{}, behind "the answer is", or the last non-empty line."""

import re

from workflow_scripts.data.text import last_line

MAX_RESPONSE = 20_000  # characters of the end of a response that are searched
_ANSWER_IS = re.compile(r"\b(?:the|my|final|correct)\s(?:final\s|correct\s)?answer\s(?:is|:)\s?:?", re.IGNORECASE)


def last_boxed(response: str) -> str | None:
    r"""Content of the last complete \boxed{…} or \fbox{…}, braces matched; None where there is none.

    Of several different boxes the last one counts, as in the entropy paper's grader.
    """
    tail = response[-MAX_RESPONSE:]
    end = len(tail)
    while True:
        start = max(tail.rfind("\\boxed{", 0, end), tail.rfind("\\fbox{", 0, end))
        if start < 0:
            return None
        content = _braced(tail[start:end])
        if content is not None:
            return content
        end = start  # an unclosed box is a truncated one; what stands before it may be whole


def _braced(text: str) -> str | None:
    first = text.index("{")
    depth = 0
    for position in range(first, len(text)):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return text[first + 1 : position]
    return None


def after_answer_is(response: str) -> str | None:
    """The rest of the line behind the last "the answer is"; None where it says so nowhere or nothing follows."""
    tail = response[-MAX_RESPONSE:]
    found = None
    for match in _ANSWER_IS.finditer(tail):
        found = match
    if found is None:
        return None
    rest = tail[found.end() :].strip()
    return rest.splitlines()[0].strip() if rest else None


def extract_answer(response: str, boxed: bool = True) -> str:
    r"""The last \boxed{} (if `boxed`), else what follows "the answer is", else the last non-empty line, else ""."""
    found = last_boxed(response) if boxed else None
    if found is None:
        found = after_answer_is(response)
    return last_line(response[-MAX_RESPONSE:]) if found is None else found.strip()
