"""The token ids by which a judge says YES and NO, resolved and checked once, when it is loaded."""

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
    found = {}
    for word in ("YES", "NO"):
        variants = dict.fromkeys(spelling.format(case(word)) for case in CASES for spelling in SPELLINGS)
        encoded = [tokenizer.encode(variant, add_special_tokens=False) for variant in variants]
        if len(encoded[0]) != 1:
            raise StageError(f"judge tokenizer: {word!r} is {len(encoded[0])} tokens, but a verdict must be one token")
        found[word] = tuple(dict.fromkeys(ids[0] for ids in encoded if len(ids) == 1))
    shared = set(found["YES"]) & set(found["NO"])
    if shared:
        raise StageError(f"judge tokenizer: YES and NO share the token ids {sorted(shared)}")
    return VerdictTokens(found["YES"], found["NO"])
