"""Log-probability of given tokens and entropy of the next-token distribution, from hidden states, in chunks.

The full logits (tokens x vocabulary) are never held: each chunk's logits are formed, reduced and dropped, and formed
again in the backward pass.
"""

import torch


def token_log_probs_and_entropy(hidden, lm_head_weight, targets, *, temperature=1.0, chunk=2048):
    """`(log_probs, entropy)` of softmax(hidden @ lm_head_weight.T / temperature), both shaped like `targets`, fp32.

    `hidden` (..., D), `lm_head_weight` (V, D), `targets` (...) int64, `chunk` in tokens. Both results are
    differentiable in `hidden` and `lm_head_weight`. Log-probabilities are those of the targets; the entropy is over
    the full vocabulary, in nats: H = logsumexp(z) - sum(softmax(z) * z). The entropy of the law is the one at
    temperature 1. Double precision input is kept double.
    """
    flat = hidden.reshape(-1, hidden.shape[-1])
    results = _ChunkedLogProbs.apply(flat, lm_head_weight, targets.reshape(-1), temperature, chunk)
    return results[0].view(targets.shape), results[1].view(targets.shape)


class _ChunkedLogProbs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden, weight, targets, temperature, chunk):
        precision = torch.promote_types(hidden.dtype, torch.float32)
        log_probs = torch.empty(len(hidden), dtype=precision, device=hidden.device)
        entropy = torch.empty_like(log_probs)
        for start in range(0, len(hidden), chunk):
            rows = slice(start, start + chunk)
            distribution = _log_softmax(hidden[rows], weight, temperature, precision)
            log_probs[rows] = distribution.gather(1, targets[rows, None]).squeeze(1)
            entropy[rows] = -(distribution.exp() * distribution).sum(dim=-1)
        ctx.save_for_backward(hidden, weight, targets, entropy)
        ctx.temperature, ctx.chunk, ctx.precision = temperature, chunk, precision
        return log_probs, entropy

    @staticmethod
    def backward(ctx, grad_log_probs, grad_entropy):
        """dlogp/dz = onehot - p and dH/dz = -p (log p + H), both over the temperature."""
        hidden, weight, targets, entropy = ctx.saved_tensors
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros(weight.shape, dtype=ctx.precision, device=weight.device)
        with_entropy = bool(grad_entropy.any())
        for start in range(0, len(hidden), ctx.chunk):
            rows = slice(start, start + ctx.chunk)
            distribution = _log_softmax(hidden[rows], weight, ctx.temperature, ctx.precision)
            probabilities, upstream = distribution.exp(), grad_log_probs[rows, None]
            grad = -upstream * probabilities
            grad.scatter_add_(1, targets[rows, None], upstream)
            if with_entropy:
                grad -= grad_entropy[rows, None] * probabilities * (distribution + entropy[rows, None])
            grad /= ctx.temperature
            grad_hidden[rows] = (grad @ weight.to(ctx.precision)).to(hidden.dtype)
            grad_weight.addmm_(grad.T, hidden[rows].to(ctx.precision))
        return grad_hidden, grad_weight.to(weight.dtype), None, None, None


def _log_softmax(hidden, weight, temperature, precision):
    logits = (hidden @ weight.T).to(precision)
    return torch.log_softmax(logits / temperature if temperature != 1 else logits, dim=-1)
