"""Log-probability of given tokens and entropy of the next-token distribution, from hidden states, in chunks.

The full logits (tokens x vocabulary) are never held: each chunk's logits are formed, reduced and dropped, and formed
again in the backward pass. Logits are fp32 whatever the input: products of bf16 weights rounded to bf16 again would be
off by up to 2^-8 of their size, which is more than one update changes a log-probability.
"""

import torch
from torch.autograd.function import once_differentiable

from workflow_scripts.models.products import product, weight_gradient

# Logits per chunk: on a CPU they should fit its cache (measured); a GPU needs a large matrix product to be busy, and
# 256 MiB are little there.
CHUNK_LOGITS = {"cpu": 2**17, "cuda": 2**26}
KEPT_LOGITS = 2**20  # of a batch, at most, are kept for the backward pass: 8 MiB
CHUNK_STEP = 64  # chunks are multiples of it, so that few shapes occur
LEAST_CHUNK = 128  # tokens; with fewer, reading the head once per chunk costs more than the cache saves


def token_log_probs_and_entropy(hidden, lm_head_weight, targets, *, temperature=1.0, chunk=None, vocabulary=None):
    """`(log_probs, entropy)` of softmax(hidden @ lm_head_weight.T / temperature), both shaped like `targets`, fp32.

    `hidden` (..., D), `lm_head_weight` (V, D), `targets` (...) int64, `chunk` in tokens (None: by the vocabulary).
    `vocabulary` (V,) bool names the ids that exist where the head is padded: the logits of all others are -inf, so that
    they get no probability, no entropy and no gradient; the log-probability of such a target is -inf.

    Log-probabilities are those of the targets; the entropy is over the vocabulary, in nats: H = -sum(p log p). The
    entropy of the law is the one at temperature 1. Both results are differentiable in `hidden` and `lm_head_weight`,
    whose dtypes may differ and are those of their gradients. Double precision input is kept double.
    """
    flat = hidden.reshape(-1, hidden.shape[-1])
    chunk = chunk or default_chunk(len(lm_head_weight), hidden.device.type)
    absent = None if vocabulary is None else ~vocabulary
    results = _ChunkedLogProbs.apply(flat, lm_head_weight, targets.reshape(-1), temperature, chunk, absent)
    return results[0].view(targets.shape), results[1].view(targets.shape)


def default_chunk(vocabulary_size: int, device: str) -> int:
    """Tokens per chunk, so that its logits take a fixed number of bytes on a device of this type."""
    fitting = CHUNK_LOGITS.get(device, CHUNK_LOGITS["cuda"]) // vocabulary_size
    return max(LEAST_CHUNK, fitting // CHUNK_STEP * CHUNK_STEP)


class _ChunkedLogProbs(torch.autograd.Function):
    """Autocast is off inside: it would form the logits in low precision again."""

    @staticmethod
    def forward(ctx, hidden, weight, targets, temperature, chunk, absent):
        head = _Head(hidden, weight, temperature, absent)
        log_probs = torch.empty(len(hidden), dtype=head.dtype, device=hidden.device)
        entropy = torch.empty_like(log_probs)
        kept = len(hidden) * len(weight) <= KEPT_LOGITS  # little memory: the backward pass need not form them again
        parts = []
        with torch.autocast(hidden.device.type, enabled=False):
            for start in range(0, len(hidden), chunk):
                rows = slice(start, start + chunk)
                log_probs[rows], entropy[rows], both = head.reduce(hidden[rows], targets[rows, None], kept)
                parts += both
        ctx.save_for_backward(hidden, weight, targets, entropy, *parts)
        ctx.temperature, ctx.chunk, ctx.absent = temperature, chunk, absent
        ctx.set_materialize_grads(False)  # an output that no loss reads costs nothing
        return log_probs, entropy

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_log_probs, grad_entropy):
        if grad_log_probs is None and grad_entropy is None:
            return None, None, None, None, None, None
        hidden, weight, targets, entropy, *parts = ctx.saved_tensors
        head, kept = _Head(hidden, weight, ctx.temperature, ctx.absent), zip(parts[::2], parts[1::2], strict=True)
        needs_hidden, needs_weight = ctx.needs_input_grad[:2]
        grad_hidden = torch.empty_like(hidden) if needs_hidden else None
        grad_weight = None
        with torch.autocast(hidden.device.type, enabled=False):
            for start in range(0, len(hidden), ctx.chunk):
                rows = slice(start, start + ctx.chunk)
                upstream = [None if grad is None else grad[rows, None] for grad in (grad_log_probs, grad_entropy)]
                both = next(kept) if parts else head.distribution(hidden[rows])
                grad = head.logit_gradient(*both, targets[rows, None], entropy[rows, None], *upstream, keep=bool(parts))
                del both
                if needs_hidden:
                    grad_hidden[rows] = product(grad, head.weight.T)
                if needs_weight and grad_weight is None:
                    grad_weight = weight_gradient(grad, hidden[rows].to(head.dtype), contiguous=True)
                elif needs_weight:  # in place: another matrix as large as the head would cost more than it saves
                    grad_weight.addmm_(grad.T, hidden[rows].to(head.dtype))
                del grad  # there is room for few chunks at a time
        if needs_weight:
            grad_weight = torch.zeros_like(weight) if grad_weight is None else grad_weight.to(weight.dtype)
        return grad_hidden, grad_weight, None, None, None, None


class _Head:
    """The output layer in the precision of the logits, cast once per pass; works on one chunk of hidden states."""

    def __init__(self, hidden, weight, temperature, absent):
        self.dtype = torch.promote_types(torch.promote_types(hidden.dtype, weight.dtype), torch.float32)
        self.weight, self.temperature, self.absent = weight.to(self.dtype), temperature, absent

    def reduce(self, hidden, targets, keep):
        """`(log_probs, entropy, parts)` of a chunk; `parts` are what `distribution` gives, none without `keep`."""
        distribution = self._log_softmax(hidden)
        log_probs = distribution.gather(1, targets).squeeze(1)
        probabilities = self._probabilities(distribution)
        parts = (distribution, probabilities) if keep else ()
        return log_probs, -_times(probabilities, distribution, keep).sum(dim=-1), parts

    def distribution(self, hidden):
        """`(log p, p)` of a chunk, both 0 where the vocabulary has no such id, so that p log p is 0 there, not NaN."""
        distribution = self._log_softmax(hidden)
        return distribution, self._probabilities(distribution)

    def logit_gradient(self, distribution, probabilities, targets, entropy, grad_log_probs, grad_entropy, *, keep):
        """Gradient of the logits: dlogp/dz = onehot - p and dH/dz = -p (log p + H), both over the temperature.

        An upstream gradient (n, 1) is None where no loss reads the result. Without `keep` the first two are written to.
        """
        if grad_entropy is not None:
            distribution = (distribution + entropy if keep else distribution.add_(entropy)).mul_(-grad_entropy)
        if grad_log_probs is None:
            grad = _times(probabilities, distribution, keep)
        else:
            minus = -grad_log_probs if grad_entropy is None else distribution.sub_(grad_log_probs)
            grad = _times(probabilities, minus, keep).scatter_add_(1, targets, grad_log_probs)
        if self.absent is not None:
            grad.masked_fill_(self.absent, 0)  # of a target that does not exist
        return grad.div_(self.temperature) if self.temperature != 1 else grad

    def _log_softmax(self, hidden):
        logits = product(hidden.to(self.dtype), self.weight)
        if self.temperature != 1:
            logits /= self.temperature
        if self.absent is not None:
            logits.masked_fill_(self.absent, -torch.inf)
        return torch.log_softmax(logits, dim=-1)

    def _probabilities(self, distribution):
        """p of log p; an id that does not exist gets log p = 0 in place."""
        probabilities = distribution.exp()
        if self.absent is not None:
            probabilities.masked_fill_(self.absent, 0)
            distribution.masked_fill_(self.absent, 0)
        return probabilities


def _times(x, y, keep):
    """x * y, in the memory of x unless it is to be kept."""
    return x * y if keep else x.mul_(y)
