"""SmolLM2 as it comes out of its GGUF file: the right weights, the right words, and sense in what it says."""

import numpy as np
import pytest
import torch

from workflow_scripts.generation import EngineSettings
from workflow_scripts.generation.inprocess import build
from workflow_scripts.models.gguf import locate
from workflow_scripts.models.loading import encode_chat, load_model, load_tokenizer
from workflow_scripts.rewards.verdict_tokens import resolve_verdict_tokens

TEXT = (
    "The Industrial Revolution was the transition to new manufacturing processes in Great Britain, continental Europe, "
    "and the United States, in the period from about 1760 to about 1840. This transition included going from hand "
    "production methods to machines, new chemical manufacturing and iron production processes, the increasing use of "
    "steam power and water power, the development of machine tools and the rise of the mechanized factory system."
)
CHAT = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
)


@pytest.fixture(scope="module")
def model(folder):
    return load_model(folder)


@pytest.fixture(scope="module")
def tokenizer(folder):
    return load_tokenizer(folder)


def test_weights_are_those_of_the_file_and_the_head_is_tied(model, source):
    """Against the `gguf` package's own unpacking; queries and keys are stored in another order of rotary halves."""
    from gguf import GGUFReader
    from gguf.quants import dequantize

    tensors = {tensor.name: tensor for tensor in GGUFReader(locate(source)).tensors}
    names = {
        "token_embd.weight": "model.embed_tokens.weight",
        "blk.3.ffn_up.weight": "model.layers.3.mlp.up_proj.weight",
    }
    own = model.state_dict()
    for name, ours in names.items():
        tensor = tensors[name]
        assert np.array_equal(dequantize(tensor.data, tensor.tensor_type), own[ours].numpy()), name
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    assert not hasattr(model.config, "quantization_config") and model.config.rope_parameters["rope_theta"] == 100_000


def test_text_is_cut_as_in_training_and_comes_back_whole(folder, tokenizer):
    """Each digit is a token, and spaces before one stay together; `AutoTokenizer` reads the same."""
    from transformers import AutoTokenizer

    def pieces(text):
        return [tokenizer.decode([token]) for token in tokenizer(text)["input_ids"]]

    assert pieces("a\n\n37  25 it's") == ["a", "\n\n", "3", "7", "  ", "2", "5", " it", "'s"]
    auto = AutoTokenizer.from_pretrained(folder)
    for text in (TEXT, CHAT, "Ünï ∑ 3.14\n\n\tx  解 12,345", " leading", "trailing  "):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids) == text and auto(text)["input_ids"] == ids
    assert tokenizer.decode(encode_chat(tokenizer, "Hi")) == CHAT
    assert (tokenizer.eos_token, tokenizer.decode([0])) == ("<|im_end|>", "<|endoftext|>")


def test_english_is_no_surprise(model, tokenizer):
    """Perplexity of an encyclopaedic sentence: 10.6 measured; wrongly ordered queries and keys give hundreds."""
    ids = torch.tensor([tokenizer(TEXT)["input_ids"]])
    with torch.inference_mode():
        loss = model(input_ids=ids, labels=ids).loss
    assert loss.exp() < 13


def test_it_answers_simple_questions_and_ends(model, tokenizer):
    questions = [
        "What is the capital of France?",
        "Tom has 3 apples and buys 4 more. How many apples does he have now?",
    ]
    prompts = [encode_chat(tokenizer, question) for question in questions]
    said = build(model, tokenizer, EngineSettings()).generate(prompts, samples=1, max_tokens=60, temperature=0, seed=0)
    assert "Paris" in said.text[0] and "7" in said.text[1] and not said.truncated.any()


def test_it_can_be_a_judge(tokenizer):
    """Its vocabulary has no "YES": "Yes" and "No" are what a judge made from it learns to say."""
    tokens = resolve_verdict_tokens(tokenizer)
    assert tokenizer.decode([tokens.yes[0]]) == "Yes" and tokenizer.decode([tokens.no[0]]) == "No"
