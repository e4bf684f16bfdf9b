"""Peak memory and time of log-probabilities and entropy with gradients: in chunks, against full logits.

    python tests/benchmarks/logprob_memory.py --vocabulary 32000 --tokens 4096 --widths 64 512

Each measurement runs in a process of its own on one thread; memory is the high-water mark of its resident set above
what it holds before: hidden states, head, and the libraries, loaded by a pass over a few tokens and ids. The gradients
are counted.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

MIB = 2**20
WAYS = ("chunked", "full")


def main() -> None:
    args = parse()
    if args.way:
        return measure(args.way, args.vocabulary, args.tokens, args.widths[0])
    print(f"{args.tokens} tokens, vocabulary {args.vocabulary}, fp32; forward and backward")
    print(
        f"{'width':>6}{'logits MiB':>12}{'chunked MiB':>13}{'full MiB':>10}{'ratio':>7}{'chunked s':>11}{'full s':>8}"
    )
    for width in args.widths:
        (chunked, chunked_seconds), (full, full_seconds) = (in_new_process(way, args, width) for way in WAYS)
        logits = args.tokens * args.vocabulary * 4 / MIB
        times = f"{chunked_seconds:>11.2f}{full_seconds:>8.2f}"
        print(f"{width:>6}{logits:>12.0f}{chunked:>13.0f}{full:>10.0f}{full / chunked:>7.1f}{times}", flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vocabulary", type=int, default=32_000)
    parser.add_argument("--tokens", type=int, default=4_096)
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128, 256, 512], help="of the hidden states")
    parser.add_argument("--way", choices=WAYS, help="measure this one in this process")
    return parser.parse_args()


def in_new_process(way: str, args: argparse.Namespace, width: int) -> tuple[float, float]:
    """`(MiB, seconds)`."""
    sizes = ("--vocabulary", args.vocabulary, "--tokens", args.tokens, "--widths", width, "--way", way)
    command = [sys.executable, __file__, *map(str, sizes)]
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)
    memory, seconds = map(float, done.stdout.split())
    return memory, seconds


def measure(way: str, vocabulary: int, tokens: int, width: int) -> None:
    import torch

    from workflow_scripts.rl.logprobs import token_log_probs_and_entropy

    torch.set_num_threads(1)
    compute = {"chunked": token_log_probs_and_entropy, "full": full_logits}[way]
    inputs = problem(vocabulary, tokens, width)
    backward_of(compute, *problem(100, 100, width))
    before, start = resident(), time.perf_counter()
    backward_of(compute, *inputs)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(peak - before, seconds)


def problem(vocabulary: int, tokens: int, width: int):
    """(hidden, weight, targets)"""
    import torch

    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(tokens, width, generator=generator).requires_grad_()
    weight = torch.randn(vocabulary, width, generator=generator).mul_(width**-0.5).requires_grad_()
    return hidden, weight, torch.randint(0, vocabulary, (tokens,), generator=generator)


def backward_of(compute, *inputs) -> None:
    log_probs, entropy = compute(*inputs)
    (log_probs.mean() + entropy.mean()).backward()


def full_logits(hidden, weight, targets):
    """The textbook way: all logits, and autograd."""
    distribution = (hidden @ weight.T).log_softmax(dim=-1)
    log_probs = distribution.gather(1, targets[:, None]).squeeze(1)
    return log_probs, -(distribution.exp() * distribution).sum(dim=-1)


def resident() -> float:
    """MiB of this process in memory now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


if __name__ == "__main__":
    main()
