"""A byte-level BPE tokenizer trained on the pipeline's own text, with a chat template.

Any text is representable (256 bytes are the alphabet). The pre-tokenizer keeps a word with its leading space together,
numbers of up to two digits with their sign, and every space before them as a token of its own, so that a number is the
same token wherever it stands and "+4" is one operation. Which words and numbers become single tokens is decided by
frequency.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PAD, END, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"
_PIECES = r" ?\p{L}+|[+-]?\p{N}{1,2}|\n|\s|[^\s\p{L}\p{N}]+"
# No system turn and no end token after a user turn: in sequences of about twenty tokens each one counts.
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message.role == 'user' %}" + USER + "{{ message.content }}"
    "{% elif message.role == 'assistant' %}" + ASSISTANT + "{{ message.content }}" + END + "{% else %}"
    "{{ raise_exception('only user and assistant turns are supported') }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}" + ASSISTANT + "{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocab: int, positions: int) -> "PreTrainedTokenizerBase":
    """Return a tokenizer with at most `vocab` tokens (bytes, four special ones, then merges by frequency).

    ValueError if `vocab` leaves no room for a merge.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast

    special = [PAD, END, USER, ASSISTANT]
    if vocab <= 256 + len(special):
        raise ValueError(f"a vocabulary of {vocab} leaves no merges beside 256 bytes and {len(special)} special tokens")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        model_max_length=positions,
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def require_single_tokens(tokenizer: "PreTrainedTokenizerBase", words: Iterable[str]) -> None:
    """ValueError names the first of `words` that is not one token."""
    for word in words:
        count = len(tokenizer(word, add_special_tokens=False)["input_ids"])
        if count != 1:
            raise ValueError(f"{word!r} takes {count} tokens: the vocabulary is too small for the data")
