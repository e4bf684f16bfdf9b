r"""Where in a response its answer stands: the last \boxed{}, behind "the answer is", or the last non-empty line."""

import re

from workflow_scripts.data.text import last_line

MAX_RESPONSE = 20_000  # characters of the end of a response that are searched
END_OF_THOUGHT = "</think>"
_BRACE = re.compile(r"\\(?:boxed|fbox)\s*\{|\\[{}]|[{}]")
_BRACE = re.compile(r"\\(?:boxed|fbox)\s*\{|\\[{}]|[{}]")
_ANSWER_IS = re.compile(r"\b(?:the|my|final|correct)\s(?:final\s|correct\s)?answer\s(?:is|:)\s?:?", re.IGNORECASE)


def last_boxed(response: str) -> str | None:
    r"""Content of the last complete \boxed{…} or \fbox{…}, braces matched; None where there is none.

    Of several different boxes the last one counts, as in the entropy paper's grader; of nested ones the outer one. An
    unclosed box is a truncated one: what stands before or in it may be whole.
    """
    tail, found = _searched(response), None
    opened: list[int | None] = []  # where the content of each open brace starts, if it is a box's
    for mark in _BRACE.finditer(tail):
        if mark[0] == "}":
            start = opened.pop() if opened else None
            found = found if start is None else tail[start : mark.start()]
        elif mark[0][-1] == "{" and mark[0] != "\\{":
            opened.append(mark.end() if len(mark[0]) > 1 else None)
    return found


def after_answer_is(response: str) -> str | None:
    """The rest of the line behind the last "the answer is"; None where it says so nowhere or nothing follows."""
    tail = _searched(response)
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
    return last_line(_searched(response)) if found is None else found.strip()


def _searched(response: str) -> str:
    """The end of a response, and of it what stands behind the thinking, if that is marked."""
    return response[-MAX_RESPONSE:].rpartition(END_OF_THOUGHT)[2]
