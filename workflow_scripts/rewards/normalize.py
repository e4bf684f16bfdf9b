"""Reward normalisation over a batch (reward paper 2503.23829, Eq. 5)."""

import numpy as np


def z_score(values: np.ndarray) -> np.ndarray:
    """(values - mean) / standard deviation, as float32 (B,); zeros where the deviation is zero or the batch is empty.

    The population deviation (ddof 0) is used: the equation names only "the standard deviation", and at the batch sizes
    in use the two differ by less than a percent. The sums run in float64, so that equal values deviate by exactly zero.
    """
    wide = np.asarray(values, dtype=np.float64)
    if wide.size == 0 or wide.min() == wide.max():
        return np.zeros(wide.shape, dtype=np.float32)
    return ((wide - wide.mean()) / wide.std()).astype(np.float32)
