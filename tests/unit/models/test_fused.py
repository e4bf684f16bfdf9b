"""A fused decoder computes what its Hugging Face model computes, values and gradients, on the model's own weights."""

import copy

import pytest
import torch

from tests.unit.models.test_lean import build
from workflow_scripts.models import products
from workflow_scripts.models.fused import FusedDecoder, fits
from workflow_scripts.models.products import packed, packs, product, rounded, weight_gradient
from workflow_scripts.rl.policy import Policy

PROMPTS = [[5, 6, 7], [5, 6, 7], [9], [8, 3, 11, 2, 30], [8, 3, 11, 2, 30]]
LENGTHS = [4, 1, 6, 9, 2]
CASES = {"qwen2": {}, "qwen2 tied": {}, "llama": {}, "llama with an untrained padding token": {"pad_token_id": 7}}


def made(name):
    return build(name.removesuffix(" with an untrained padding token"), **CASES[name])


def batch():
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    return torch.randint(96, mask.shape, generator=torch.Generator().manual_seed(2)) * mask, mask


def gradients(policy, model):
    """Log-probabilities, entropies, and the gradients of a loss on both by parameter of the model."""
    tokens, mask = batch()
    log_probs, entropy = policy(PROMPTS, tokens, mask, 0.8)
    (log_probs.square().sum() + 0.3 * entropy.sum()).backward()
    return log_probs, entropy, {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_the_model(name, share):
    theirs, ours = made(name), made(name)
    expected = gradients(Policy(theirs, share_prompts=False), theirs)
    decoder = FusedDecoder(ours)
    found = gradients(Policy(ours, share_prompts=share, decoder=decoder), ours)
    for a, b in zip(found[:2], expected[:2], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    for parameter, grad in expected[2].items():
        torch.testing.assert_close(found[2][parameter], grad, rtol=1e-3, atol=1e-5 * float(grad.abs().max()))


@pytest.mark.parametrize("name", CASES)
def test_the_optimiser_sees_two_tensors_and_the_model_what_it_does_to_them(name):
    model = made(name)
    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    decoder = FusedDecoder(model)
    assert all(torch.equal(parameter, before[key]) for key, parameter in model.named_parameters())
    matrices, others = decoder.flat.tensors
    assert matrices.numel() + others.numel() == sum(value.numel() for value in before.values())
    with torch.no_grad():
        matrices.mul_(2)
    for key, parameter in model.named_parameters():
        place = decoder.flat.places[key]
        assert torch.equal(parameter, before[key] * (2 if before[key].dim() == 2 else 1))
        assert torch.equal(place.tensor.detach().flatten()[place.part].view_as(parameter), parameter)


def test_gradients_add_up_over_passes():
    model, tokens, mask = build("qwen2"), *batch()
    policy = Policy(model, decoder=FusedDecoder(model))
    once = gradients(policy, model)[2]
    policy(PROMPTS, tokens, mask, 0.8)[0].square().sum().backward()
    other = build("qwen2")
    Policy(other)(PROMPTS, tokens, mask, 0.8)[0].square().sum().backward()
    for name, parameter in other.named_parameters():
        added, scale = model.get_parameter(name).grad - once[name], float(once[name].abs().max())
        torch.testing.assert_close(added, parameter.grad, rtol=1e-3, atol=1e-5 * scale)


def test_a_decoder_that_does_not_learn_holds_no_gradients():
    model, (tokens, mask) = build("llama"), batch()
    expected = Policy(build("llama"))(PROMPTS, tokens, mask)[0]
    decoder = FusedDecoder(model, learn=False)
    found = Policy(model, decoder=decoder)(PROMPTS, tokens, mask)[0]
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-5)
    held = [*decoder.flat.tensors, *decoder.flat.leaves.values(), *model.parameters()]
    assert all(tensor.grad is None for tensor in held) and not found.requires_grad


def test_the_embedding_and_an_unread_token_get_no_gradient_from_padding():
    """Shapes are rounded up with token 0 and place 0: nothing may come back from there."""
    model = build("qwen2")
    grads = gradients(Policy(model, decoder=FusedDecoder(model)), model)[2]
    unread = sorted(set(range(96)) - {t for p in PROMPTS for t in p} - set(batch()[0].flatten().tolist()))
    assert unread and not grads["model.embed_tokens.weight"][unread].any()


@pytest.mark.parametrize(
    ("name", "changes", "fitting"),
    [
        ("qwen2", {}, True),
        ("llama with biases", {}, False),
        ("qwen3", {}, False),
        ("llama", {"hidden_act": "gelu"}, False),
    ],
)
def test_what_it_does_not_compute_is_left_to_the_model(name, changes, fitting):
    model = build(name, **changes)
    assert fits(model) is fitting
    assert not fits(copy.deepcopy(model).bfloat16())


@pytest.mark.parametrize("rows", [1, 16, 33, 48, 500, 512])
def test_products_are_those_of_torch_on_the_grid_and_beside_it(rows):
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((rows, 24), (40, 24), (40,)))
    grad = torch.randn(rows, 40, generator=generator)
    torch.testing.assert_close(product(x, weight, bias), x @ weight.T + bias, rtol=1e-4, atol=1e-4)
    for contiguous in (False, True):
        found = weight_gradient(grad, x, contiguous)
        torch.testing.assert_close(found, grad.T @ x, rtol=1e-4, atol=1e-4)
        assert found.is_contiguous() or not contiguous
    assert product(x.double(), weight.double()).dtype == torch.float64


@pytest.mark.parametrize("rows", [1, 16, 33, 500])
def test_a_packed_weight_is_multiplied_as_it_was(rows):
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (torch.randn(*shape, generator=generator) for shape in ((rows, 24), (40, 24), (40,)))
    ours = packed(weight)
    assert packs(weight.dtype, weight.device) and ours is not weight
    torch.testing.assert_close(product(x, ours, bias), x @ weight.T + bias, rtol=1e-4, atol=1e-4)
    assert packed(weight.bfloat16()).layout == torch.strided


@pytest.mark.parametrize("shape", [(70, 24), (24, 70)])
def test_a_large_weight_is_multiplied_in_blocks(monkeypatch, shape):
    """As a head and its gradient are; the last block is smaller."""
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(32, shape[1], generator=generator), torch.randn(*shape, generator=generator)
    bias = torch.randn(shape[0], generator=generator)
    monkeypatch.setattr(products, "COPIED", 24 * 32)
    torch.testing.assert_close(product(x, weight, bias), x @ weight.T + bias, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(product(x, weight), x @ weight.T, rtol=1e-4, atol=1e-4)


def test_few_numbers_of_rows_lie_on_the_grid():
    grid = {rounded(rows) for rows in range(1, 4097)}
    assert all(rows <= rounded(rows) <= rows + max(15, rows / 16) for rows in range(1, 4097))
    assert len(grid) <= 16 * 8 and all(rounded(rows) == rows for rows in grid)
