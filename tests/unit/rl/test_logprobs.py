"""Chunked log-probabilities and entropy equal the plain computation, gradients included."""

import pytest
import torch

from workflow_scripts.rl.logprobs import token_log_probs_and_entropy


def plain(hidden, weight, targets, temperature):
    distribution = torch.log_softmax(hidden @ weight.T / temperature, dim=-1)
    log_probs = distribution.gather(-1, targets[..., None]).squeeze(-1)
    return log_probs, -(distribution.exp() * distribution).sum(dim=-1)


@pytest.mark.parametrize("chunk", [1, 3, 7, 14, 100])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_equals_the_plain_computation(chunk, temperature):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, 7, 5, generator=generator, dtype=torch.float64)
    weight = torch.randn(11, 5, generator=generator, dtype=torch.float64)
    targets = torch.randint(0, 11, (2, 7), generator=generator)
    weights = torch.randn(2, 2, 7, generator=generator, dtype=torch.float64)
    gradients = []
    for compute in (
        lambda h, w: plain(h, w, targets, temperature),
        lambda h, w: token_log_probs_and_entropy(h, w, targets, temperature=temperature, chunk=chunk),
    ):
        h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        log_probs, entropy = compute(h, w)
        (log_probs * weights[0] + entropy * weights[1]).sum().backward()
        gradients.append((log_probs.detach(), entropy.detach(), h.grad, w.grad))
    for ours, theirs in zip(gradients[1], gradients[0], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_tied_head_adds_both_gradients():
    """With a tied embedding the weight gets gradient from the head and from the embedding."""
    table = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    tokens = torch.tensor([[0, 3, 5]])
    gradients = []
    for compute in (
        lambda h, w: plain(h, w, tokens, 1.0),
        lambda h, w: token_log_probs_and_entropy(h, w, tokens, chunk=2),
    ):
        weight = table.clone().requires_grad_()
        compute(torch.nn.functional.embedding(tokens, weight), weight)[0].sum().backward()
        gradients.append(weight.grad)
    torch.testing.assert_close(*gradients)


def test_half_precision_input_gives_single_precision_output():
    hidden, weight = torch.randn(3, 4).bfloat16(), torch.randn(9, 4).bfloat16()
    log_probs, entropy = token_log_probs_and_entropy(hidden, weight, torch.tensor([0, 1, 2]))
    assert log_probs.dtype == entropy.dtype == torch.float32
