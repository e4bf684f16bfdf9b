"""The token ids by which a judge says YES and NO, resolved and checked once, when it is loaded.

They are what a tokenizer makes of the words where a judge writes them, right after the chat template has opened its
answer. A variant that would melt into the end of the template, or is several tokens, can never be the first token.
"""

from dataclasses import dataclass
from typing import Any

from workflow_scripts.artifacts.errors import StageError

SPELLINGS = ("{0}", " {0}", "\n{0}")
CASES = (str.upper, str.capitalize, str.lower)


@dataclass(frozen=True)
class VerdictTokens:
    """Ids of the single-token variants of each verdict; the first of each is "YES" and "NO", which training uses."""

    yes: tuple[int, ...]
    no: tuple[int, ...]


def resolve_verdict_tokens(tokenizer: Any) -> VerdictTokens:
    """Single-token variants ("YES", " Yes", …). Raises StageError in one line if "YES" or "NO" is not one token."""
    opened = tokenizer.apply_chat_template(
        [{"role": "user", "content": "?"}], tokenize=False, add_generation_prompt=True
    )
    before = _encode(tokenizer, opened)
    found = {}
    for word in ("YES", "NO"):
        variants = dict.fromkeys(spelling.format(case(word)) for case in CASES for spelling in SPELLINGS)
        first, *others = [_answer_tokens(tokenizer, opened, before, variant) for variant in variants]
        if first is None or len(first) != 1:
            number = "part of the chat template's last token" if first is None else f"{len(first)} tokens"
            raise StageError(f"judge tokenizer: {word!r} is {number}, but a verdict must be one token")
        found[word] = tuple(dict.fromkeys(ids[0] for ids in (first, *others) if ids and len(ids) == 1))
    shared = set(found["YES"]) & set(found["NO"])
    if shared:
        raise StageError(f"judge tokenizer: YES and NO share the token ids {sorted(shared)}")
    return VerdictTokens(found["YES"], found["NO"])


def _answer_tokens(tokenizer: Any, opened: str, before: list[int], answer: str) -> list[int] | None:
    """Tokens of an answer behind the opened chat; None if it changes the tokens before it."""
    ids = _encode(tokenizer, opened + answer)
    return ids[len(before) :] if ids[: len(before)] == before else None


def _encode(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]
