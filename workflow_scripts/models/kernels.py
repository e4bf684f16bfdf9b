"""Parts of a decoder layer as single steps of autograd, for small models on a CPU.

A layer of a small model costs less to compute than autograd's bookkeeping for its two dozen operations. Here it is two
steps around the attention, with backward passes that are written out.
"""

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from workflow_scripts.models.products import product, weight_gradient


class NormAndProjections(torch.autograd.Function):
    """RMS norm, the joint projection to queries, keys and values, and the rotation of the first two by position."""

    @staticmethod
    def forward(ctx, x, norm, eps, weight, bias, rotation, widths):
        """x (N, D), norm (D,), weight (sum of `widths`, D), bias or None. Queries, keys, values (N, width) each."""
        unit, inverse = rms_unit(x, eps)
        y = unit * norm
        projected = product(y, weight, bias)
        rotation.turn(projected)
        ctx.save_for_backward(unit, inverse, y, norm, weight)
        ctx.rotation, ctx.has_bias = rotation, bias is not None
        return projected.split(widths, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads):
        unit, inverse, y, norm, weight = ctx.saved_tensors
        grad = torch.cat(grads, dim=1)
        ctx.rotation.turn_back(grad)
        grad_x, grad_norm = rms_norm_backward(product(grad, weight.t()), unit, inverse, norm)
        grad_bias = grad.sum(0) if ctx.has_bias else None
        return grad_x, grad_norm, None, weight_gradient(grad, y), grad_bias, None, None


class OutputAndFeedForward(torch.autograd.Function):
    """The attention's output projection, and the gated feed-forward after its norm, both added to what came in."""

    @staticmethod
    def forward(ctx, x, attended, output, norm, eps, gate_up, down):
        """x (N, D), attended (N, heads x size), output (D, heads x size), norm (D,), gate_up (2 F, D), down (D, F)."""
        x = product(attended, output).add_(x)
        unit, inverse = rms_unit(x, eps)
        y = unit * norm
        gate, up = product(y, gate_up).chunk(2, dim=-1)
        activated = F.silu(gate)
        inner = activated * up
        ctx.save_for_backward(attended, unit, inverse, y, gate, up, activated, inner, output, norm, gate_up, down)
        return product(inner, down).add_(x)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        attended, unit, inverse, y, gate, up, activated, inner, output, norm, gate_up, down = ctx.saved_tensors
        grad_inner = product(grad, down.t())
        grad_both = torch.empty(len(gate), 2 * gate.shape[1], dtype=gate.dtype)
        grad_gate, grad_up = grad_both.chunk(2, dim=-1)
        torch.mul(grad_inner, activated, out=grad_up)
        torch.ops.aten.silu_backward.grad_input(grad_inner.mul_(up), gate, grad_input=grad_gate)
        grad_x, grad_norm = rms_norm_backward(product(grad_both, gate_up.t()), unit, inverse, norm)
        grad_x += grad
        return (
            grad_x,
            product(grad_x, output.t()),
            weight_gradient(grad_x, attended),
            grad_norm,
            None,
            weight_gradient(grad_both, y),
            weight_gradient(grad, inner),
        )


class Norm(torch.autograd.Function):
    """RMS norm of x (N, D) with scale (D,)."""

    @staticmethod
    def forward(ctx, x, norm, eps):
        unit, inverse = rms_unit(x, eps)
        ctx.save_for_backward(unit, inverse, norm)
        return unit * norm

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return *rms_norm_backward(grad, *ctx.saved_tensors), None


def rms_unit(x: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """x (N, D) over its root mean square, and the inverse of that (N, 1)."""
    inverse = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    return x * inverse, inverse


def rms_norm_backward(
    grad: torch.Tensor, unit: torch.Tensor, inverse: torch.Tensor, norm: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of x (N, D) and of the scale (D,); see `rms_unit`."""
    along = grad * unit
    mean = torch.mv(along, norm).div_(unit.shape[-1])[:, None]
    return (grad * norm).addcmul_(unit, mean, value=-1).mul_(inverse), along.sum(0)


class Rotation:
    """Rotary position embedding of N tokens' queries and keys, heads side by side, for all layers of one pass.

    As in the Llama family: place i of a head is turned together with place i + size / 2.
    """

    def __init__(self, cos: torch.Tensor, sin: torch.Tensor, partner: torch.Tensor) -> None:
        """`cos`, `sin` (N, R), the latter with its sign, and `partner` (R,): see `rotation_table`."""
        self._cos, self._sin, self._partner = cos, sin, partner

    def turn(self, projected: torch.Tensor) -> None:
        """Turn the first R columns of (N, at least R), in place."""
        turned = projected[:, : len(self._partner)]
        partner = turned.index_select(1, self._partner)
        turned.mul_(self._cos).addcmul_(partner, self._sin)

    def turn_back(self, grad: torch.Tensor) -> None:
        """The backward pass of `turn`, in place: the turn by the opposite angle."""
        turned = grad[:, : len(self._partner)]
        partner = turned.index_select(1, self._partner)
        turned.mul_(self._cos).addcmul_(partner, self._sin, value=-1)


def rotation_table(cos: torch.Tensor, sin: torch.Tensor, heads: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """cos, signed sin (positions, heads x size), and the partner of each place, from one head's `cos`, `sin`."""
    size = cos.shape[-1]
    half = size // 2
    sign = torch.cat([-torch.ones(half), torch.ones(half)])
    swapped = torch.arange(size).view(2, half).flip(0).flatten()
    partner = (torch.arange(heads)[:, None] * size + swapped).flatten()
    return cos.repeat(1, heads), (sin * sign).repeat(1, heads), partner
