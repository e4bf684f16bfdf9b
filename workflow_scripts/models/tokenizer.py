"""A byte-level tokenizer trained on the pipeline's own text, with a chat template.

Any text is representable: 256 bytes are the alphabet. The frequent pieces of the text, words with their leading space
and numbers of up to two digits with their sign, are tokens of their own, so that a number is the same token wherever it
stands and "+4" is one operation.

They are *added* tokens, which are found before the pre-tokenizer splits, and the pre-tokenizer is Qwen2's own.
AutoTokenizer forces Qwen2's class and with it that pre-tokenizer upon every model of this architecture, whatever its
directory says, so that merges across Qwen2's splits would be lost for whoever loads the model in the ordinary way.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PAD, END, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"
SPECIAL = [PAD, END, USER, ASSISTANT]
MERGES = 24  # for what cannot be an added token: a decoder would read its accented letters as bytes
_PIECE = re.compile(r" ?[^\W\d_]+|[+-]?\d{1,2}|[^\w\s]+")
# No system turn and no end token after a user turn: in sequences of about twenty tokens each one counts.
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message.role == 'user' %}" + USER + "{{ message.content }}"
    "{% elif message.role == 'assistant' %}" + ASSISTANT + "{{ message.content }}" + END + "{% else %}"
    "{{ raise_exception('only user and assistant turns are supported') }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}" + ASSISTANT + "{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocab: int, positions: int) -> "PreTrainedTokenizerBase":
    """Return a tokenizer with at most `vocab` tokens: bytes, four special ones, a few merges, frequent pieces.

    ValueError if `vocab` leaves no room for pieces.
    """
    from tokenizers import AddedToken
    from transformers.models.qwen2.tokenization_qwen2 import Qwen2Tokenizer

    room = vocab - 256 - len(SPECIAL) - MERGES
    if room < 1:
        raise ValueError(f"a vocabulary of {vocab} leaves no pieces beside bytes and {len(SPECIAL) + MERGES} others")
    counts = Counter(piece for text in texts for piece in _PIECE.findall(text) if len(piece.encode()) > 1)
    accented = {piece: count for piece, count in counts.items() if not piece.isascii()}
    pieces = sorted((piece for piece in counts if piece.isascii()), key=lambda piece: (-counts[piece], piece))
    vocabulary, merges = _train_merges(accented)
    tokenizer = Qwen2Tokenizer(
        vocabulary,
        merges,
        unk_token=None,
        eos_token=END,
        pad_token=PAD,
        model_max_length=positions,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_tokens([AddedToken(token, special=True) for token in (USER, ASSISTANT)])
    tokenizer.add_tokens([AddedToken(piece, normalized=False) for piece in pieces[:room] if counts[piece] > 1])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _train_merges(counts: dict[str, int]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of a byte-level BPE trained on pieces by their counts."""
    import json

    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=256 + len(SPECIAL) + MERGES, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator((piece for piece, count in sorted(counts.items()) for _ in range(count)), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [tuple(pair) for pair in model["merges"]]


def require_single_tokens(tokenizer: "PreTrainedTokenizerBase", words: Iterable[str]) -> None:
    """ValueError names the first of `words` that is not one token."""
    for word in words:
        count = len(tokenizer(word, add_special_tokens=False)["input_ids"])
        if count != 1:
            raise ValueError(f"{word!r} takes {count} tokens: the vocabulary is too small for the data")
