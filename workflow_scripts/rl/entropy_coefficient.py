"""Adaptive coefficient of the entropy bonus (Skywork-OR1, arXiv 2505.22312): a bonus only while the entropy is low."""

import math
from dataclasses import dataclass


@dataclass
class EntropyCoefficient:
    """The coefficient rises by `delta` when the entropy (nats) is below `target`, falls by `delta` otherwise.

    It stays between 0 and `maximum`, and is in force only while the entropy is at most `target`: an entropy that the
    bonus has lifted above it is left alone at once, while the coefficient comes down step by step. The authors start
    at 0 with target 0.2, delta 1e-4 and maximum 5e-3, one step per rollout. `value` is the whole state: save it with
    a checkpoint and give it to the constructor on resume. Raises ValueError on a value outside the bounds.
    """

    value: float
    target: float
    delta: float
    maximum: float = math.inf

    def __post_init__(self) -> None:
        if not 0 <= self.value <= self.maximum:
            raise ValueError(f"entropy coefficient {self.value} is not between 0 and its maximum {self.maximum}")
        if self.delta < 0:
            raise ValueError(f"delta {self.delta} of the entropy coefficient is negative")

    def update(self, entropy: float) -> float:
        """Move the coefficient by the entropy just measured; returns the one in force until the next measurement."""
        step = self.delta if entropy < self.target else -self.delta
        self.value = min(max(self.value + step, 0.0), self.maximum)
        return self.value if entropy <= self.target else 0.0
