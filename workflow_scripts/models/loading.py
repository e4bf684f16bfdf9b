"""Load and save Hugging Face directories, and encode chat prompts.

Importing the auto classes of transformers costs seconds per process, so the architectures that the pipeline trains
itself are imported by name; any other one goes through the auto classes. Weights are safetensors only and no code that
comes with a model is ever run.
"""

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_DIRECT = {"qwen2": ("transformers.models.qwen2.modeling_qwen2", "Qwen2ForCausalLM")}


def _kind(path: Path) -> str | None:
    """The architecture that a directory names; ValueError if it is no model directory."""
    config = path / "config.json"
    if not config.is_file():
        raise ValueError(f"{path} is no model directory: config.json is missing")
    return json.loads(config.read_text(encoding="utf-8")).get("model_type")


def _model_class(path: Path) -> type:
    kind = _kind(path)
    module, name = _DIRECT.get(kind, ("transformers", "AutoModelForCausalLM"))
    return getattr(importlib.import_module(module), name)


def load_model(path: str | Path, dtype: str = "float32") -> "PreTrainedModel":
    """Return the causal language model of a directory in evaluation mode; ValueError if it is no model directory."""
    import torch

    path = Path(path)
    model = _model_class(path).from_pretrained(path, dtype=getattr(torch, dtype), use_safetensors=True)
    return model.eval()


def empty_model(path: str | Path, dtype: str = "float32") -> "PreTrainedModel":
    """Return the causal language model of a directory, in evaluation mode, its weights still to be filled in.

    Memory that nobody has written to costs nothing, so a model of any size fits. Rotary frequencies are right, and
    single precision whatever the weights are.
    """
    from transformers import AutoConfig, GenerationConfig

    path = Path(path)
    _kind(path)  # raises
    model = _without_weights(AutoConfig.from_pretrained(path), dtype)
    if (path / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(path)
    return model


def empty_copy(model: "PreTrainedModel", dtype: str = "float32") -> "PreTrainedModel":
    """Return a model like this one and beside it, its weights still to be filled in."""
    copied = _without_weights(model.config, dtype)
    copied.generation_config = model.generation_config
    return copied.to(model.device)


def _without_weights(config: "PreTrainedConfig", dtype: str) -> "PreTrainedModel":
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    with no_init_weights():
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    model.tie_weights()
    return model.eval()


def load_tokenizer(path: str | Path) -> "PreTrainedTokenizerBase":
    """Return the fast tokenizer of a directory; its pad token is set (the end token stands in where there is none)."""
    from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(Path(path))
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def save_model(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", path: str | Path) -> None:
    """Write model (safetensors) and tokenizer into one directory that `from_pretrained` reads."""
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)


def save_weights(
    weights: "Iterator[tuple[str, torch.Tensor]]",
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    path: str | Path,
    dtype: str,
    write: bool = True,
) -> None:
    """Write weights of a `dtype` by name as they come, for `model`'s architecture, as `save_model` writes a model.

    For models that no process holds whole. Without `write` the weights are only drawn, as a collective iterator wants.
    """
    import copy

    from workflow_scripts.models.weights import write_weights

    path = Path(path)
    if write:
        path.mkdir(parents=True, exist_ok=True)
        config = copy.deepcopy(model.config)
        config.architectures, config.dtype = [type(model).__name__], dtype
        config.save_pretrained(path)
        model.generation_config.save_pretrained(path)
        tokenizer.save_pretrained(path)
    write_weights(weights, path, write)


def encode_chat(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Return the token ids of one user message under the chat template, with the prompt that opens the answer.

    A base model without a chat template is asked with the text itself.
    """
    return encode_chats(tokenizer, [text])[0]


def encode_chats(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> list[list[int]]:
    """Return `encode_chat` of each text; together they take about half the time."""
    if not texts:
        return []
    if tokenizer.chat_template is None:
        return tokenizer(texts)["input_ids"]
    chats = [[{"role": "user", "content": text}] for text in texts]
    rendered = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
    return tokenizer(rendered, add_special_tokens=False)["input_ids"]


def encode_answer(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    """Return the token ids of an assistant's answer, closed by the end token."""
    return [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]


def existing_vocabulary(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> "torch.Tensor | None":
    """Return (V,) bool, True for the ids that the tokenizer knows; None where the head has no rows beyond them.

    Models round their vocabulary up (Qwen2.5: 152,064 rows for 151,665 tokens); a row that stands for nothing must be
    neither sampled nor counted in the entropy.
    """
    import torch

    rows, known = model.get_output_embeddings().out_features, len(tokenizer)
    return torch.arange(rows) < known if rows > known else None
