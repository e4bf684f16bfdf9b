"""Tokens by inversion, in one search or in two, against sums in double precision."""

import pytest
import torch

from workflow_scripts.generation.sampling import BLOCK, FLAT, invert, sample_tokens


@pytest.mark.parametrize("size", [2, 407, FLAT, FLAT + 1, 5 * BLOCK, 5 * BLOCK + 3, 49152])
def test_the_token_is_where_the_running_sum_passes_the_uniform(size):
    generator = torch.Generator().manual_seed(size)
    probabilities = torch.softmax(4 * torch.randn(500, size, generator=generator), dim=-1)
    uniforms = torch.rand(500, generator=generator)
    tokens = invert(probabilities, uniforms)
    running = probabilities.double().cumsum(dim=-1)
    target = (uniforms.double() * running[:, -1])[:, None]
    above = running.gather(1, tokens[:, None])
    below = above - probabilities.double().gather(1, tokens[:, None])
    assert (below - 1e-6 <= target).all() and (target <= above + 1e-6).all()


@pytest.mark.parametrize("size", [407, 5 * BLOCK + 3, 49152])
def test_no_uniform_ends_on_a_token_without_probability(size):
    """The ends of the range, and distributions with their mass in one place or at the ends."""
    weights = torch.zeros(4, size)
    weights[0, size // 2] = 1
    weights[1, [0, -1]] = 0.5
    weights[2, 1:-1] = 1 / size
    weights[3, [3, BLOCK]] = torch.tensor([1e-7, 1.0])
    for uniform in (0.0, 0.3, 1 - 2**-24):
        tokens = invert(weights, torch.full((4,), uniform))
        assert (weights.gather(1, tokens[:, None]) > 0).all()
        assert tokens[0] == size // 2


@pytest.mark.parametrize("temperature", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("scale", [0.1, 3.0, 60.0])
def test_log_probs_and_entropy_against_double_precision(temperature, scale):
    logits = scale * torch.randn(64, 3000, generator=torch.Generator().manual_seed(0))
    exact = logits.double()
    tokens, log_probs, entropy = sample_tokens(logits, temperature, torch.rand(64))
    plain = torch.log_softmax(exact, dim=-1)
    chosen = plain if temperature == 0 else torch.log_softmax(exact / temperature, dim=-1)
    if temperature == 0:
        assert torch.equal(tokens, exact.argmax(dim=-1))
    expected = chosen.gather(1, tokens[:, None]).squeeze(1).float()
    torch.testing.assert_close(log_probs, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(entropy, -(plain.exp() * plain).sum(dim=-1).float(), rtol=1e-5, atol=1e-6)
