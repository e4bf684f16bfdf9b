"""Several verdicts of one judge: votes sampled at a temperature, and their majority."""

from collections.abc import Sequence

import numpy as np

from workflow_scripts.data.text import hash_fraction

TINY = 1e-12


def tempered(p_yes: np.ndarray, temperature: float) -> np.ndarray:
    """P(YES) at a temperature: sigmoid(logit(p) / T), (N,) float64. T acts on the choice between YES and NO alone."""
    if temperature <= 0:
        raise ValueError(f"vote temperature must be positive, got {temperature}")
    bounded = np.clip(np.asarray(p_yes, dtype=np.float64), TINY, 1 - TINY)
    return 1.0 / (1.0 + np.exp(-np.log(bounded / (1 - bounded)) / temperature))


def sample_votes(p_yes: float, votes: int, temperature: float, *seed: object) -> list[bool]:
    """`votes` independent verdicts. The draws depend on `seed` alone, so other rows of a table change none of them."""
    chance = float(tempered(np.array([p_yes]), temperature)[0])
    return [hash_fraction("vote", *seed, index) < chance for index in range(votes)]


def majority(votes: Sequence[bool]) -> bool:
    """YES if at least half of the votes are: ties count as YES, as in 2503.23829. ValueError without votes."""
    if not len(votes):
        raise ValueError("majority of no votes")
    return 2 * sum(votes) >= len(votes)
