"""The token ids by which a judge says YES and NO, resolved and checked once, when it is loaded.

They are what a tokenizer makes of the words where a judge writes them, right after the chat template has opened its
answer. A variant that would melt into the end of the template, or is several tokens, can never be the first token.
"""

from dataclasses import dataclass
from typing import Any

from workflow_scripts.artifacts.errors import StageError

SPELLINGS = ("{0}", " {0}", "\n{0}")
CASES = (str.upper, str.capitalize, str.lower)
WRITTEN = [(spelling, case) for case in CASES for spelling in SPELLINGS]


@dataclass(frozen=True)
class VerdictTokens:
    """Ids of the single-token variants of each verdict; the first of each is written alike, and what training uses."""

    yes: tuple[int, ...]
    no: tuple[int, ...]


def resolve_verdict_tokens(tokenizer: Any) -> VerdictTokens:
    """Single-token variants of YES and NO ("YES", " Yes", …), first of all the first spelling that both have.

    It is "YES" and "NO" itself with most tokenizers; SmolLM2's has no token "YES", there it is "Yes" and "No". Raises
    StageError in one line if no spelling makes one token of both.
    """
    opened = tokenizer.apply_chat_template(
        [{"role": "user", "content": "?"}], tokenize=False, add_generation_prompt=True
    )
    before = _encode(tokenizer, opened)
    found = {
        word: [_answer_tokens(tokenizer, opened, before, spelling.format(case(word))) for spelling, case in WRITTEN]
        for word in ("YES", "NO")
    }
    single = {word: [ids[0] if ids and len(ids) == 1 else None for ids in variants] for word, variants in found.items()}
    both = [pair for pair in zip(single["YES"], single["NO"], strict=True) if None not in pair]
    if not both:
        raise StageError(f"judge tokenizer: a verdict must be one token: {_lengths(found)}")
    yes, no = (
        tuple(dict.fromkeys(token for token in (first, *single[word]) if token is not None))
        for word, first in zip(("YES", "NO"), both[0], strict=True)
    )
    if shared := set(yes) & set(no):
        raise StageError(f"judge tokenizer: YES and NO share the token ids {sorted(shared)}")
    return VerdictTokens(yes, no)


def _lengths(found: dict[str, list[list[int] | None]]) -> str:
    """How many tokens the plain words take."""
    words = {word: variants[0] for word, variants in found.items()}
    return ", ".join(
        f"{word!r} is " + (f"{len(ids)} tokens" if ids else "part of the chat template's last token")
        for word, ids in words.items()
    )


def _answer_tokens(tokenizer: Any, opened: str, before: list[int], answer: str) -> list[int] | None:
    """Tokens of an answer behind the opened chat; None if it changes the tokens before it."""
    ids = _encode(tokenizer, opened + answer)
    return ids[len(before) :] if ids[: len(before)] == before else None


def _encode(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]
