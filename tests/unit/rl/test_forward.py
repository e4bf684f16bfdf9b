"""Sharing prompts, sorting by length, padding and cutting into passes change nothing but the time."""

import copy

import pytest
import torch
from transformers.models.qwen2.modeling_qwen2 import Qwen2Config, Qwen2ForCausalLM

from tests.rl_nano import nano_policy
from workflow_scripts.generation import EngineSettings, make_engine
from workflow_scripts.rl.forward import like_lengths
from workflow_scripts.rl.packing import by_kernel
from workflow_scripts.rl.policy import Policy, all_log_probs

LENGTHS = [5, 1, 8, 3, 0, 8, 2]
PROMPTS = [[9, 8, 7], [9, 8, 7], [5], [20, 21, 22, 23], [5], [9, 8, 7], [20, 21, 22, 23]]


@pytest.fixture(scope="module")
def case():
    model, _ = nano_policy()
    tokens = torch.randint(0, model.config.vocab_size, (7, 8), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(8) < torch.tensor(LENGTHS)[:, None]
    return model.double(), tokens, mask


def row_by_row(model, tokens, temperature):
    """Each sequence alone, full logits, no cache: what the batch must reproduce."""
    log_probs, entropy = torch.zeros(7, 8).double(), torch.zeros(7, 8).double()
    for row, (prompt, length) in enumerate(zip(PROMPTS, LENGTHS, strict=True)):
        sequence = torch.tensor([prompt + tokens[row, :length].tolist()])
        distribution = torch.log_softmax(model(input_ids=sequence).logits[0] / temperature, dim=-1)
        for t in range(length):
            at = distribution[len(prompt) + t - 1]
            log_probs[row, t], entropy[row, t] = at[tokens[row, t]], -(at.exp() * at).sum()
    return log_probs, entropy


WAYS = {
    "shared": {},
    "padded": {"share_prompts": False},
    "packed": {"packing": True},
    "recomputed": {"activation_checkpointing": True},
    "packed and recomputed": {"packing": True, "activation_checkpointing": True},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_equals_one_sequence_at_a_time(case, temperature, way):
    model, tokens, mask = copy.deepcopy(case)
    policy = Policy(model, **WAYS[way])
    results = []
    for compute in (
        lambda: row_by_row(model, tokens, temperature),
        lambda: policy(PROMPTS, tokens, mask, temperature),
    ):
        model.zero_grad()
        log_probs, entropy = compute()
        weights = torch.linspace(-1, 1, 56).reshape(7, 8).double()
        ((log_probs * weights + entropy * weights.flip(0)) * mask).sum().backward()
        results.append((log_probs.detach(), entropy.detach(), [p.grad.clone() for p in model.parameters()]))
    # the norms and rotations of the model compute in single precision whatever its own
    torch.testing.assert_close(results[1][:2], results[0][:2], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(results[1][2], results[0][2], rtol=1e-4, atol=2e-6)
    assert results[1][0][~mask].abs().sum() == 0


def grouped_model():
    """Two query heads to each key head, one matrix as embedding and head."""
    config = Qwen2Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    return Qwen2ForCausalLM(config).eval()


def test_packed_sequences_of_grouped_heads_are_those_of_padded_ones(case):
    _, tokens, mask = case
    model, results = grouped_model(), []
    for way in ("padded", "packed"):
        model.zero_grad()
        log_probs, entropy = Policy(model, **WAYS[way])(PROMPTS, tokens, mask)
        (log_probs.sum() + entropy.sum()).backward()
        results.append((log_probs.detach(), [p.grad.clone() for p in model.parameters()]))
    torch.testing.assert_close(results[1][0], results[0][0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(results[1][1], results[0][1], rtol=1e-4, atol=1e-5)


def test_a_packed_model_samples_as_before():
    model, tokenizer = nano_policy()
    engine = make_engine(EngineSettings(), model, tokenizer)
    inputs = {"samples": 3, "max_tokens": 8, "temperature": 1.0, "seed": 0}
    before = engine.generate(PROMPTS, **inputs)
    Policy(model, packing=True)
    after = engine.generate(PROMPTS, **inputs)
    assert torch.equal(after.tokens, before.tokens) and torch.equal(after.log_probs, before.log_probs)


def test_the_kernel_of_a_gpu_takes_what_packing_hands_down():
    """Shapes of results and gradients, without a GPU; its numbers are torch's business."""
    query = torch.empty(1, 4, 10, 16, dtype=torch.bfloat16, device="meta", requires_grad=True)
    key, value = (torch.empty(1, 2, 10, 16, dtype=torch.bfloat16, device="meta", requires_grad=True) for _ in "kv")
    boundaries = torch.empty(4, dtype=torch.int32, device="meta")
    output = by_kernel(query, key, value, boundaries, 5, None)
    output.sum().backward()
    assert output.shape == (1, 10, 4, 16) and key.grad.shape == key.shape


@pytest.mark.parametrize("recompute", [True, False])
def test_layers_are_computed_again_for_the_backward_pass_only(recompute):
    model, calls = nano_policy()[0], []
    policy = Policy(model, share_prompts=False, activation_checkpointing=recompute)
    model.base_model.layers[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    inputs = ([[1, 2]], torch.tensor([[3, 4]]), torch.tensor([[True, True]]))
    with torch.no_grad():
        policy(*inputs)
    assert len(calls) == 1 and not model.training
    policy(*inputs)[0].sum().backward()
    assert len(calls) == (3 if recompute else 2)


def test_dropout_is_refused_where_layers_run_in_training_mode():
    model = nano_policy()[0]
    model.config.attention_dropout = 0.1
    with pytest.raises(ValueError, match="activation_checkpointing: the model has dropout"):
        Policy(model, activation_checkpointing=True)


@pytest.mark.parametrize("budget", [1, 20, 1000])
def test_micro_batches_change_nothing(case, budget):
    model, tokens, mask = case
    expected = [value.detach().float() for value in Policy(model)(PROMPTS, tokens, mask)]
    for ours, theirs in zip(all_log_probs(Policy(model), PROMPTS, tokens, mask, budget=budget), expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_passes_are_cut_where_padding_costs_more_than_a_pass():
    assert like_lengths([4, 0, 4, 3]) == [[0, 2, 3]]  # one pass: little padding; a row without tokens is left out
    assert like_lengths([2] * 100 + [30] * 100) == [list(range(100)), list(range(100, 200))]
    assert like_lengths([0, 0]) == []
