"""What a judge is distilled on: the teacher's verdicts, sampled so that frequent answers and both verdicts count.

The paper trains on every rollout once, so an answer that was given often counts often; the same is meant here by
drawing as many examples as there are training rollouts, in proportion to the counts. Verdicts are balanced, as a weak
policy explores few right answers: the rarer verdict is drawn up to half of the examples, but no row more than
MAX_UPSAMPLING times as often as it occurred.
"""

from typing import Any

import numpy as np

from workflow_scripts.evaluation.probes import is_probe

MAX_UPSAMPLING = 4.0


def trainable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Training rows that the teacher answered, without the probes of the audit, should a policy have uttered one."""
    return [row for row in rows if row["split"] == "train" and row["mass"] > 0 and not is_probe(row["answer"])]


def sample_balanced(rows: list[dict[str, Any]], rng: np.random.Generator) -> list[dict[str, Any]]:
    """As many rows as the rows count rollouts, verdicts balanced, in random order. Empty for no rows."""
    counts = np.array([row["count"] for row in rows], dtype=np.float64)
    verdicts = np.array([row["verdict"] for row in rows], dtype=bool)
    if not len(rows):
        return []
    total = counts.sum()
    share_yes = balanced_share(float(counts[verdicts].sum() / total))
    weights = np.zeros(len(rows))
    for verdict, share in ((True, share_yes), (False, 1.0 - share_yes)):
        members = verdicts == verdict
        if members.any():
            weights[members] = counts[members] / counts[members].sum() * share
    chosen = systematic_sample(weights * total / weights.sum(), rng)
    return [rows[index] for index in rng.permutation(chosen)]


def balanced_share(share: float) -> float:
    """Share of a verdict after balancing: one half where upsampling by MAX_UPSAMPLING reaches it."""
    if share in (0.0, 1.0):
        return share
    if share > 0.5:
        return 1.0 - balanced_share(1.0 - share)
    return min(0.5, MAX_UPSAMPLING * share)


def systematic_sample(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices in which i occurs floor(expected[i]) or ceil(expected[i]) times: the draw of least variance."""
    edges = np.cumsum(expected)
    points = np.arange(rng.random(), edges[-1], 1.0) if len(edges) else np.zeros(0)
    return np.minimum(np.searchsorted(edges, points, side="right"), len(edges) - 1)
