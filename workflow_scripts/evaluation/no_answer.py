r"""Whether a response holds no answer: nothing stands where its prompt asked for the answer.

A template that asks for a \boxed{} wants one, one that asks for "the answer is" wants something behind it, and any
other a last line that is not empty. A response that the length limit cut usually has none. The graders' extraction is
not used: it may be refined, and answers are not to be sampled again for it.
"""

from collections.abc import Callable

from workflow_scripts.data.answers import ANSWERS
from workflow_scripts.data.prompts import template_path
from workflow_scripts.data.text import last_line

PHRASE = "the answer is"


def _after_the_phrase(response: str) -> str:
    _, found, answer = response.casefold().rpartition(PHRASE)
    return answer.strip(" \t\r\n:.") if found else ""


FORMS: dict[str, Callable[[str], str]] = {"\\boxed": ANSWERS["boxed"], PHRASE: _after_the_phrase}


def has_no_answer(template: str) -> Callable[[str], bool]:
    """A test of responses to the prompts of a template. ValueError names the known templates."""
    text = template_path(template).read_text(encoding="utf-8")
    find = next((find for form, find in FORMS.items() if form in text), last_line)
    return lambda response: not find(response).strip()
