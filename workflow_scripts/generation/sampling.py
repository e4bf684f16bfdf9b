"""One token from each distribution, with few passes over the vocabulary."""

import torch

BLOCK = 256  # probabilities summed together before one is looked for: a running sum over a large vocabulary is slow
FLAT = 1024  # a vocabulary up to this size is searched in one go


def sample_tokens(
    logits: torch.Tensor, temperature: float, uniforms: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens by inversion, their log-probabilities, and the entropy at temperature 1 in nats, (rows,) each.

    `logits` (rows, V), single precision, are overwritten; `uniforms` (rows,) lie in [0, 1). At temperature 0 tokens are
    the most likely ones and log-probabilities those at temperature 1.
    """
    plain = torch.softmax(logits, dim=-1)
    chosen = torch.softmax(logits / temperature, dim=-1) if temperature not in (0, 1) else plain
    tokens = chosen.argmax(dim=-1) if temperature == 0 else invert(chosen, uniforms)
    log_probs = chosen.gather(1, tokens[:, None]).squeeze(1).log()
    # H = log Z - sum(p z) for z <= 0, the largest being 0: two terms of one sign, so that nothing cancels
    largest = logits.amax(dim=-1, keepdim=True)
    entropy = -plain.amax(dim=-1).log() - plain.mul(logits.sub_(largest)).sum(dim=-1)
    return tokens, log_probs, entropy


def invert(probabilities: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """The first place (rows,) where the running sum of `probabilities` (rows, V) exceeds that share of their total."""
    size = probabilities.shape[1]
    if size <= FLAT:
        return _search(probabilities, uniforms * probabilities.sum(dim=-1))[0]
    whole = size // BLOCK * BLOCK
    sums = probabilities[:, :whole].unflatten(1, (-1, BLOCK)).sum(dim=-1)
    if whole < size:
        sums = torch.cat([sums, probabilities[:, whole:].sum(dim=-1, keepdim=True)], dim=1)
    block, rest = _search(sums, uniforms * sums.sum(dim=-1))
    places = block[:, None] * BLOCK + torch.arange(BLOCK, device=block.device)
    inner = probabilities.gather(1, places.clamp(max=size - 1)).masked_fill_(places >= size, 0)
    return block * BLOCK + _search(inner, rest)[0]


def _search(weights: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The first place where the running sum exceeds `target`, and what the target has left before it, (rows,) each."""
    running = weights.cumsum(dim=-1)
    total = running[:, -1:]
    # strictly below the total, so that rounding never points past the last place with any weight
    target = torch.minimum(target[:, None], torch.nextafter(total, torch.zeros_like(total)))
    place = torch.searchsorted(running, target, right=True)
    before = running.gather(1, place) - weights.gather(1, place)
    return place.squeeze(1), (target - before).clamp(min=0).squeeze(1)
