"""Matrix products in fp32 on a CPU.

PyTorch takes MKL for them, which leaves AVX-512 unused on processors that are not Intel's: oneDNN, which comes with
PyTorch as well, is twice as fast there (Zen 5, one core: 222 against 104 GFLOP/s at 1024 x 1024 x 1024) and as fast
elsewhere. It makes its code anew for each shape, half a millisecond a time, so it is asked only for numbers of rows
that come again: those on a grid, to which callers round theirs up. Everything else takes the ordinary way.
"""

import torch
import torch.nn.functional as F

HAS_ONEDNN = torch.backends.mkldnn.is_available()
ROWS = 64  # any number from 16 on gives the same order of a packed weight
COPIED = 2**22  # numbers of a weight that oneDNN may copy, into its own order, at once


def rounded(rows: int) -> int:
    """The next number of rows on the grid, which has at most 16 per power of two."""
    step = 1 << max(4, rows.bit_length() - 5)
    return -(-rows // step) * step


def product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x (N, in) @ weight (out, in).T + bias (out,); no gradients. The weight may be `packed`."""
    if weight.is_mkldnn:
        return _pointwise(x, weight, bias)
    return _onednn(x, weight, bias) if _recurs(len(x), x, weight) else F.linear(x, weight, bias)


def packed(weight: torch.Tensor) -> torch.Tensor:
    """A copy in the order in which oneDNN reads a weight, for many products of few rows; elsewhere the weight itself.

    Each product would otherwise copy it: half again the time of one with 16 rows, 4 % with 256 (measured).
    """
    return torch.ops.mkldnn._reorder_linear_weight(weight, ROWS) if packs(weight.dtype, weight.device) else weight


def packs(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether `packed` copies such a weight."""
    return HAS_ONEDNN and dtype == torch.float32 and device.type == "cpu"


def weight_gradient(grad: torch.Tensor, x: torch.Tensor, contiguous: bool = False) -> torch.Tensor:
    """grad (N, out).T @ x (N, in): the gradient of the weight (out, in) of `product`.

    The first factor is copied to be read in order, so the narrower one goes first, unless the result must be
    `contiguous`: autograd copies one that is not where it is the first gradient of a parameter.
    """
    if not _recurs(len(x), x, grad):
        return grad.t() @ x
    if x.shape[1] <= grad.shape[1] and not contiguous:
        return _onednn(x.t(), grad.t()).t()
    return _onednn(grad.t(), x.t())


def _onednn(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """A large weight in blocks, which take no longer: a head would be held twice."""
    if weight.numel() <= COPIED:
        return _pointwise(x, weight, bias)
    size = COPIED // min(weight.shape)
    blocks = [slice(start, start + size) for start in range(0, max(weight.shape), size)]
    if len(weight) == min(weight.shape):  # sums of many terms
        result = _pointwise(x[:, blocks[0]], weight[:, blocks[0]], bias)
        for block in blocks[1:]:
            result += _pointwise(x[:, block], weight[:, block], None)
        return result
    result = x.new_empty(len(x), len(weight))
    for block in blocks:
        result[:, block] = _pointwise(x, weight[block], None if bias is None else bias[block])
    return result


def _pointwise(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def _recurs(rows: int, x: torch.Tensor, y: torch.Tensor) -> bool:
    single = x.dtype == y.dtype == torch.float32 and x.device.type == y.device.type == "cpu"
    return HAS_ONEDNN and single and 0 < rows == rounded(rows)
