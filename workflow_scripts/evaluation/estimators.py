"""Estimators from n samples per question, c of them right: avg@k, pass@k and maj@k of one question.

The mean over questions is the caller's; questions are the unit over which intervals are taken.
"""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
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


def maj_at_k(answers: Sequence[str], right: Sequence[bool]) -> float:
    """Probability that the commonest answer of the samples is right (self-consistency, 2203.11171, Eq. 1).

    Equal strings are one answer. Ties are broken evenly: the mean over the commonest answers of whether they are
    right. An answer counts as right in the share of its samples that are (equal answers can be graded apart).
    """
    if not answers or len(answers) != len(right):
        raise ValueError(f"maj@k needs as many verdicts as answers and at least one, got {len(answers)}, {len(right)}")
    counts = Counter(answers)
    most = max(counts.values())
    winners = {answer for answer, count in counts.items() if count == most}
    hits = sum(verdict for answer, verdict in zip(answers, right, strict=True) if answer in winners)
    return float(Fraction(hits, most * len(winners)))
