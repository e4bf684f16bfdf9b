"""The lean forward computes what the Hugging Face model computes."""

import pytest
import torch
from torch.nn import functional

from workflow_scripts.models.lean import lean_model

CASES = {
    "qwen2": ("Qwen2", {}),
    "qwen2 tied": ("Qwen2", {"tie_word_embeddings": True, "num_key_value_heads": 4}),
    "llama": ("Llama", {}),
    "llama with biases": ("Llama", {"attention_bias": True, "mlp_bias": True}),
    "llama 3 rope": (
        "Llama",
        {
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 1e4,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            }
        },
    ),
    "qwen3": ("Qwen3", {"head_dim": 24}),
}


def build(name, **changes):
    """A random model whose norms and biases are not the neutral ones that it starts with."""
    import transformers

    kind, options = CASES[name]
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(
        **{
            "vocab_size": 96,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 64,
            "tie_word_embeddings": False,
            **options,
            **changes,
        }
    )
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    with torch.no_grad():
        for part, parameter in model.named_parameters():
            parameter.normal_(float("norm" in part), 0.3)
    return model


def causal(rows):
    """The attention of `rows` sequences of equal length, given one after the other."""

    def attend(layer, query, key, value):
        heads = [part.unflatten(0, (rows, -1)).transpose(1, 2) for part in (query, key, value)]
        mixed = functional.scaled_dot_product_attention(*heads, is_causal=True, enable_gqa=True)
        return mixed.transpose(1, 2).flatten(0, 1)

    return attend


@torch.no_grad()
def run(model, tokens):
    lean, (rows, width) = lean_model(model), tokens.shape
    rotary = lean.rotary(torch.arange(width).repeat(rows))
    return model.get_output_embeddings()(lean.hidden(tokens.flatten(), rotary, causal(rows))).view(rows, width, -1)


TOKENS = torch.randint(96, (3, 40), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_the_model(name):
    model = build(name)
    theirs = model(input_ids=TOKENS).logits.detach()
    assert theirs.std() > 0.1
    torch.testing.assert_close(run(model, TOKENS), theirs, rtol=1e-5, atol=1e-5 * float(theirs.abs().max()))


def test_half_precision_is_as_close_to_single_precision_as_the_model():
    model = build("qwen2")
    exact = run(model, TOKENS)
    model.bfloat16()
    with torch.no_grad():
        theirs, ours = (((logits.float() - exact) ** 2).mean() for logits in (model(TOKENS).logits, run(model, TOKENS)))
    assert ours < 1.5 * theirs


def test_matrices_in_half_precision_round_as_autocast_does():
    model = build("qwen3")
    lean, rotary = lean_model(model), torch.arange(40).repeat(3)
    with torch.no_grad():
        exact = model.model(TOKENS).last_hidden_state
        states = lean.hidden(TOKENS.flatten(), lean.rotary(rotary), causal(3), lean.weights(torch.bfloat16))
        with torch.autocast("cpu", torch.bfloat16):
            theirs = model.model(TOKENS).last_hidden_state
    assert states.dtype == torch.float32
    assert 0 < ((states.view_as(exact) - exact) ** 2).mean() < 1.5 * ((theirs - exact) ** 2).mean()


def test_weights_once_taken_stay_and_are_read_anew_otherwise():
    model = build("llama")
    lean, before = lean_model(model), run(model, TOKENS)
    kept = lean.weights()
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.q_proj.weight.mul_(2)
    rotary = lean.rotary(torch.arange(40).repeat(3))
    with torch.no_grad():
        old = model.lm_head(lean.hidden(TOKENS.flatten(), rotary, causal(3), kept)).view_as(before)
    torch.testing.assert_close(old, before, rtol=0, atol=0)
    assert not torch.allclose(run(model, TOKENS), before, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("llama", {"hidden_act": "gelu"}),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}),
        ("llama", {"attention_dropout": 0.1}),
    ],
)
def test_what_it_does_not_compute_is_left_to_the_model(name, changes):
    assert lean_model(build(name)) is not None
    assert lean_model(build(name, **changes)) is None


def test_a_layer_that_is_no_plain_matrix_is_left_to_the_model():
    class Adapter(torch.nn.Linear):
        """A matrix to which something is added."""

    model = build("qwen2")
    model.model.layers[1].mlp.up_proj = Adapter(32, 48, bias=False)
    assert lean_model(model) is None
