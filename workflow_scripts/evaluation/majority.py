"""maj@k: the chance that the commonest of k answers is right, over all draws of k of the n samples of a question.

The expectation is exact, not simulated. For the answer j that is drawn c times to win, every other answer must be drawn
at most c times; the draws are counted by multiplying, over the other answers i with n_i samples, the polynomials
sum_m C(n_i, m) x^m with m <= c, where x counts samples and a second index counts ties, which are broken evenly.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from functools import lru_cache
from math import comb

import numpy as np

MAX_SAMPLES = 1000  # C(n, n / 2) must fit a float


def maj_at(answers: Sequence[Hashable], right: Sequence[bool], ks: Sequence[int]) -> list[float]:
    """maj@k of one question (self-consistency, 2203.11171, Eq. 1) for several k.

    Equal answers are one answer, right in the share of its samples that are (equal answers can be graded apart).
    Raises ValueError without samples, or for a k that they do not allow.
    """
    n = len(answers)
    if not n or n != len(right):
        raise ValueError(f"maj@k needs as many verdicts as answers and at least one, got {n}, {len(right)}")
    if n > MAX_SAMPLES or not all(1 <= k <= n for k in ks):
        raise ValueError(f"maj@k needs 1 <= k <= n <= {MAX_SAMPLES}, got n={n}, k={', '.join(map(str, ks))}")
    counts, hits = Counter(answers), Counter(answer for answer, good in zip(answers, right, strict=True) if good)
    largest, total = max(ks), np.zeros(max(ks) + 1)
    for answer, good in hits.items():
        others = Counter(counts)
        del others[answer]
        total += good / counts[answer] * _draws_won(counts[answer], tuple(sorted(others.values())), largest)
    return [float(min(total[k] / comb(n, k), 1.0)) for k in ks]


@lru_cache(maxsize=1 << 14)  # questions repeat the same few patterns of counts
def _draws_won(own: int, others: tuple[int, ...], largest: int) -> np.ndarray:
    """(largest + 1,) draws of k samples that an answer of `own` samples wins, ties shared evenly."""
    won = np.zeros(largest + 1)
    for c in range(1, min(own, largest) + 1):
        width = largest - c + 1
        free = sum(count for count in others if count < c)
        ways = np.array([[comb(free, m) for m in range(width)]], dtype=np.float64)  # ties x samples drawn of the others
        for count in (count for count in others if count >= c):
            fewer = ways @ _shifts(count, c, width)
            tied = np.zeros_like(ways)
            tied[:, c:] = ways[:, : max(width - c, 0)] * comb(count, c)
            ways = np.vstack([fewer, np.zeros(width)])
            ways[1:] += tied
            while len(ways) > 1 and not ways[-1].any():
                ways = ways[:-1]
        won[c:] += comb(own, c) * (ways / np.arange(1, len(ways) + 1)[:, None]).sum(axis=0)
    return won


@lru_cache(maxsize=1 << 12)
def _shifts(count: int, c: int, width: int) -> np.ndarray:
    """(width, width) matrix that multiplies a polynomial by sum_{m < c} C(count, m) x^m."""
    return sum(comb(count, m) * np.eye(width, k=m) for m in range(min(c, width)))
