"""Agreement of two raters on yes/no items, and calibration of a rater's probability. All counts may be weighted."""

from dataclasses import dataclass

import numpy as np

BINS = 10


@dataclass(frozen=True)
class Confusion:
    """Weighted counts of a rater's verdicts against those of another that is taken as right."""

    true_yes: float
    false_yes: float
    false_no: float
    true_no: float

    @property
    def n(self) -> float:
        return self.true_yes + self.false_yes + self.false_no + self.true_no

    @property
    def accuracy(self) -> float:
        """Share of equal verdicts; NaN without items."""
        return _ratio(self.true_yes + self.true_no, self.n)

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of YES and NO; of the one that occurs where the other does not; NaN without items."""
        recalls = (self.recall, 1.0 - self.false_positive_rate)
        present = [recall for recall in recalls if not np.isnan(recall)]
        return sum(present) / len(present) if present else float("nan")

    @property
    def recall(self) -> float:
        """Share of YES items that the rater accepts; NaN where there is none."""
        return _ratio(self.true_yes, self.true_yes + self.false_no)

    @property
    def false_positive_rate(self) -> float:
        """Share of NO items that the rater accepts; NaN where there is none."""
        return _ratio(self.false_yes, self.false_yes + self.true_no)

    @property
    def kappa(self) -> float:
        """Cohen's kappa, (p_o - p_e) / (1 - p_e) (Cohen 1960); NaN without items.

        A constant rater has p_o = p_e, so 0. Two raters with the same constant leave 0/0: 0 too, as nothing was told
        apart.
        """
        if not self.n:
            return float("nan")
        ours, theirs = self.true_yes + self.false_yes, self.true_yes + self.false_no
        expected = (ours * theirs + (self.n - ours) * (self.n - theirs)) / self.n**2
        if ours in (0, self.n) or theirs in (0, self.n):
            return 0.0
        return (self.accuracy - expected) / (1.0 - expected)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def confusion(verdicts: np.ndarray, actual: np.ndarray, weights: np.ndarray | None = None) -> Confusion:
    """Confusion of two (N,) bool arrays with (N,) weights (rollouts per item; 1 each if None)."""
    verdicts, actual = np.asarray(verdicts, dtype=bool), np.asarray(actual, dtype=bool)
    weights = np.ones(len(verdicts)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(verdicts) == len(actual) == len(weights):
        raise ValueError(f"raters and weights differ in length: {len(verdicts)}, {len(actual)}, {len(weights)}")
    cells = (verdicts & actual, verdicts & ~actual, ~verdicts & actual, ~verdicts & ~actual)
    return Confusion(*(float(weights[cell].sum()) for cell in cells))


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: mean probability of YES and share of YES of the items between two edges."""

    low: float
    high: float
    mean_p_yes: float
    share_yes: float
    n: float


def reliability(
    p_yes: np.ndarray, actual: np.ndarray, weights: np.ndarray | None = None, bins: int = BINS
) -> list[Bin]:
    """Equal-width bins of P(YES) in [0, 1]; empty ones are left out. The last bin holds its upper edge."""
    p_yes, actual = np.asarray(p_yes, dtype=np.float64), np.asarray(actual, dtype=np.float64)
    weights = np.ones(len(p_yes)) if weights is None else np.asarray(weights, dtype=np.float64)
    places = np.minimum((p_yes * bins).astype(int), bins - 1)
    found = []
    for place in range(bins):
        inside = places == place
        n = float(weights[inside].sum())
        if n:
            means = (float((column[inside] * weights[inside]).sum() / n) for column in (p_yes, actual))
            found.append(Bin(place / bins, (place + 1) / bins, *means, n))
    return found


def expected_calibration_error(found: list[Bin]) -> float:
    """Mean distance of P(YES) and share of YES, bins weighted by items (Naeini et al. 2015); NaN without items."""
    total = sum(bar.n for bar in found)
    return _ratio(sum(bar.n * abs(bar.mean_p_yes - bar.share_yes) for bar in found), total)
