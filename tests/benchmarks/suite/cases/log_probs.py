"""Log-probabilities and entropy of given tokens, forward and backward: in chunks, against full logits.

Both sides get the same hidden states, head and targets in fp32 and give the same two results and the same gradients
(compared before anything is measured). The plain side is the textbook's: all logits, `log_softmax`, and the entropy
from it by autograd. Time alternates in one process on one thread. Memory is that of a fresh process for each value: the
high-water mark of its resident set (on a GPU: of what is allocated) above what it holds before, which is inputs and
libraries; the gradients count. Ours forms the logits twice, forward and backward: four matrix products where the plain
way has three, so that 0.75 x is what it would be if nothing but products took time.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.suite.cpu import Clocked, ratio
from tests.benchmarks.suite.measure import Row, alternate, empty_row, gemm_peak, synchronize

# vocabulary, width of the hidden states, tokens: the nano policy, a small one, SmolLM2-135M's, Qwen2.5-0.5B's
SIZES = ((512, 64, 8192), (8192, 256, 2048), (49152, 576, 512), (151936, 896, 256))
QUICK = ((512, 64, 2048), (8192, 64, 256))
ON_A_GPU = ((49152, 576, 16384), (151936, 896, 16384))
GROUP, OURS, OTHER = "log-probabilities and entropy", "in chunks", "full logits"
MIB = 2**20


def rows(quick: bool) -> Iterator[Row]:
    import torch

    torch.set_num_threads(1)
    for size in QUICK if quick else SIZES:
        yield from _measured(size, "cpu", repetitions=2 if quick else 3 if size[0] > 10_000 else 9)
    for size in ON_A_GPU:
        if torch.cuda.is_available():
            yield from _measured(size, "cuda", repetitions=3 if quick else 10)
        else:
            yield from (empty_row(GROUP, f"{_name(size)}, {what}", OURS, OTHER, unit=unit) for what, unit in UNITS)


UNITS = (("time", "s"), ("peak memory", "MiB"))


def _measured(size: tuple[int, int, int], device: str, repetitions: int) -> Iterator[Row]:
    vocabulary, width, tokens = size
    inputs = _problem(size, device)
    _same(inputs)
    sides = [Clocked(_timed(way, inputs, device)) for way in WAYS.values()]
    seconds = alternate(*sides, repetitions)
    busy = seconds[0] if device == "cuda" else sides[0].seconds[-repetitions:]
    share = 4 * 2 * tokens * vocabulary * width / median(busy) / gemm_peak(device, inputs[0].dtype)
    note = ratio(*(side.seconds for side in sides), repetitions)
    name = _name(size)
    limit = (
        "its four matrix products, one more than the plain way has"
        if share > 0.5
        else "passes over the logits: exp, log and sums, not products"
    )
    yield Row(GROUP, f"{name}, time", OURS, OTHER, "s", *seconds, device, peak_share=share, limit=limit, note=note)
    del inputs
    memory = ([_in_new_process(way, size, device) for _ in range(3)] for way in WAYS)
    note = f"the logits alone: {tokens * vocabulary * _bytes(device) / MIB:.0f} MiB"
    limit = "the gradients of head and hidden states, and one chunk of logits"
    yield Row(GROUP, f"{name}, peak memory", OURS, OTHER, "MiB", *memory, device, limit=limit, note=note)


def _name(size: tuple[int, int, int]) -> str:
    return "vocabulary {:,}, width {}, {:,} tokens".format(*size)


def _bytes(device: str) -> int:
    return 2 if device == "cuda" else 4


def _timed(way: Callable, inputs: tuple, device: str) -> Callable[[], None]:
    def run() -> None:
        _backward(way, *inputs)
        synchronize(device)

    return run


def _problem(size: tuple[int, int, int], device: str) -> tuple[Any, Any, Any]:
    """(hidden, weight, targets); fp32 on a CPU, bf16 on a GPU, as models are trained there."""
    import torch

    vocabulary, width, tokens = size
    generator = torch.Generator().manual_seed(0)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    hidden = torch.randn(tokens, width, generator=generator).to(device, dtype).requires_grad_()
    weight = torch.randn(vocabulary, width, generator=generator).mul_(width**-0.5).to(device, dtype).requires_grad_()
    return hidden, weight, torch.randint(0, vocabulary, (tokens,), generator=generator).to(device)


def _backward(way: Callable, hidden: Any, weight: Any, targets: Any) -> tuple[Any, Any]:
    hidden.grad = weight.grad = None
    log_probs, entropy = way(hidden, weight, targets)
    (log_probs.mean() + entropy.mean()).backward()
    return log_probs, entropy


def _chunked(hidden: Any, weight: Any, targets: Any) -> tuple[Any, Any]:
    from workflow_scripts.rl.logprobs import token_log_probs_and_entropy

    return token_log_probs_and_entropy(hidden, weight, targets)


def _full(hidden: Any, weight: Any, targets: Any) -> tuple[Any, Any]:
    """The logits in the model's precision, all else in fp32, as trainers have it."""
    distribution = (hidden @ weight.T).float().log_softmax(dim=-1)
    log_probs = distribution.gather(1, targets[:, None]).squeeze(1)
    return log_probs, -(distribution.exp() * distribution).sum(dim=-1)


WAYS = {"chunked": _chunked, "full": _full}


def _same(inputs: tuple) -> None:
    """Raises AssertionError where the two ways differ by more than rounding."""
    import torch

    exact = inputs[0].dtype == torch.float32
    found = []
    for way in WAYS.values():
        results = _backward(way, *inputs)
        found.append([*(result.detach() for result in results), *(one.grad for one in inputs[:2])])
    for ours, other in zip(*found, strict=True):
        size = other.float().abs().max()
        assert (ours - other).abs().max() <= (1e-4 if exact else 5e-2) * size


# --------------------------------------------------------------------------------------- memory, each in a new process
def _in_new_process(way: str, size: tuple[int, int, int], device: str) -> float:
    """MiB."""
    command = [sys.executable, "-m", __name__, way, device, *map(str, size)]
    return float(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)


def _peak(way: str, size: tuple[int, int, int], device: str) -> float:
    import torch

    torch.set_num_threads(1)
    inputs = _problem(size, device)
    _backward(WAYS[way], *_problem((100, size[1], 100), device))
    if device == "cuda":
        before = torch.cuda.memory_allocated()
        _backward(WAYS[way], *inputs)
        return (torch.cuda.max_memory_allocated() - before) / MIB
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew (Linux)
    _backward(WAYS[way], *inputs)
    return (_status("VmHWM") - before) / 1024


def _status(entry: str) -> int:
    """KiB of this process."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(entry))
    return int(line.split()[1])


if __name__ == "__main__":
    print(_peak(sys.argv[1], tuple(map(int, sys.argv[3:])), sys.argv[2]))
