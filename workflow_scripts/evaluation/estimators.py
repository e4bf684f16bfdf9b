"""Estimators from n samples per question, c of them right: avg@k and pass@k of one question (majority.py: maj@k).

The mean over questions is the caller's; questions are the unit over which intervals are taken.
"""

from collections.abc import Sequence
from math import comb


def avg_at_k(right: Sequence[bool]) -> float:
    """Share of right samples: what 2505.22617 prints as avg@32 for AIME and AMC. ValueError without samples."""
    if not right:
        raise ValueError("avg@k of no samples")
    return sum(right) / len(right)


def pass_at_k(n: int, c: int, k: int) -> float:
    """Probability that k of the n samples, drawn without replacement, hold a right one: 1 - C(n-c, k) / C(n, k).

    The unbiased estimator of Chen et al. (2107.03374, Eq. 1), in exact integers. Needs 0 <= c <= n and 1 <= k <= n.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass@k needs 0 <= c <= n and 1 <= k <= n, got n={n}, c={c}, k={k}")
    return 1.0 - comb(n - c, k) / comb(n, k)
