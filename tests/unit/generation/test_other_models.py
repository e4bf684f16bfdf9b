"""Models that the lean forward does not know run in Hugging Face's own, and the engine samples the same from either."""

import pytest
import torch

from tests.tiny import small_model
from workflow_scripts.generation import EngineSettings, make_engine
from workflow_scripts.generation.inprocess import InProcessEngine
from workflow_scripts.generation.passes import HuggingFacePasses, LeanPasses
from workflow_scripts.models.tokenizer import train_tokenizer

PROMPTS = [[30, 31, 32], [40], [50, 51, 52, 53, 54, 55], [60, 61]]
ARGUMENTS = {"samples": 8, "max_tokens": 10, "temperature": 1.0, "seed": 0}


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([f"{i}+{i}" for i in range(50)], 300, 64)


def other_model(tokenizer, kind, **options):
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=len(tokenizer) + 7,  # rounded up
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **options,
    )
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8 if parameter.dim() == 2 else 1)
        head = model.get_output_embeddings().weight
        head[tokenizer.eos_token_id] = head.abs().mean(dim=0) * 2
    return model


@pytest.mark.parametrize(
    ("kind", "options", "passes"),
    [
        ("Llama", {"num_key_value_heads": 2}, LeanPasses),
        ("Qwen3", {"num_key_value_heads": 2, "head_dim": 8, "tie_word_embeddings": True}, LeanPasses),
        ("Mistral", {"num_key_value_heads": 2, "sliding_window": None}, HuggingFacePasses),
        ("GPTNeoX", {}, HuggingFacePasses),
    ],
)
def test_log_probs_are_those_of_the_model(tokenizer, kind, options, passes):
    model = other_model(tokenizer, kind, **options)
    engine = make_engine(EngineSettings(), model, tokenizer)
    assert type(engine.decoder.passes) is passes
    generation = engine.generate(PROMPTS, **ARGUMENTS)
    assert len(set(generation.lengths.tolist())) > 1
    for row, length in enumerate(generation.lengths.tolist()):
        prompt, response = PROMPTS[row // 8], generation.tokens[row, :length]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + response.tolist()])).logits[0, len(prompt) - 1 : -1]
        expected = torch.log_softmax(logits[:, : len(tokenizer)], dim=-1).gather(1, response[:, None]).squeeze(1)
        torch.testing.assert_close(generation.log_probs[row, :length], expected, rtol=1e-4, atol=5e-5)


def test_both_ways_through_the_layers_sample_the_same(tokenizer):
    architecture = {"layers": 2, "width": 32, "heads": 2, "mlp": 64, "positions": 64}
    model = small_model(architecture, tokenizer, 0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    lean, other = InProcessEngine(model, tokenizer), InProcessEngine(model, tokenizer)
    other.decoder.passes = HuggingFacePasses(model)
    model.train()
    ours, theirs = lean.generate(PROMPTS, **ARGUMENTS), other.generate(PROMPTS, **ARGUMENTS)
    assert model.training
    assert torch.equal(ours.tokens, theirs.tokens)
    torch.testing.assert_close(ours.log_probs, theirs.log_probs, rtol=1e-4, atol=2e-5)
    torch.testing.assert_close(ours.entropy, theirs.entropy, rtol=1e-4, atol=2e-5)
