"""Does the covariance of Eq. 9 predict the change of entropy? `python tests/benchmarks/entropy_change.py ARM...`

ARM is the folder of a finished policy that was trained with one on-policy update per rollout. Its metrics hold, per
step, H after - H before the update on the same responses, and the mean covariance of all groups (a dropped one is 0).
Theorem 2 (arXiv 2505.22617) has -dH proportional to the covariance. Rank correlations are printed raw, and with each
series' centred rolling mean taken off: two series that merely fall together correlate without it.

The 95 % interval is Fisher's, with Fieller's 1.06 for ranks, at the number of independent steps that Bartlett's formula
leaves: n / (1 + 2 sum_k r_x(k) r_y(k)), the sum up to its first negative term.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

WINDOW = 25  # steps; fixed before anything was measured


def main(folders: list[str]) -> None:
    for folder in map(Path, folders):
        table = pq.read_table(folder / "metrics.parquet", columns=["step", "entropy_change", "group_cov"]).to_pandas()
        series = pd.DataFrame({"fall": -table["entropy_change"], "covariance": table["group_cov"]})
        print(f"{folder.name}: {len(series.dropna())} of {len(series)} steps have both")
        print("  raw      ", described(series))
        print("  detrended", described(detrended(series)))


def detrended(series: pd.DataFrame) -> pd.DataFrame:
    """Each series minus its centred rolling mean; at the edges, the mean of what is there."""
    return series - series.rolling(WINDOW, center=True, min_periods=1).mean()


def described(series: pd.DataFrame) -> str:
    """Spearman's correlation: Pearson's of the ranks, ties at their mean rank."""
    x, y = (ranks.to_numpy() for _, ranks in series.dropna().rank().items())
    correlation, independent = float(np.corrcoef(x, y)[0, 1]), independent_steps(x, y)
    low, high = interval(correlation, independent)
    return (
        f"Spearman {correlation:+.3f} [{low:+.3f}, {high:+.3f}]  n {len(x)}, independent {independent:.0f},"
        f" lag-1 autocorrelation {autocorrelations(x)[1]:+.2f} {autocorrelations(y)[1]:+.2f}"
    )


def interval(correlation: float, independent: float) -> tuple[float, float]:
    half = 1.96 * np.sqrt(1.06 / max(independent - 3, 1e-9))
    return tuple(float(np.tanh(np.arctanh(correlation) + sign * half)) for sign in (-1, 1))


def independent_steps(x: np.ndarray, y: np.ndarray) -> float:
    products = (autocorrelations(x) * autocorrelations(y))[1:]
    negative = np.flatnonzero(products < 0)
    return len(x) / (1 + 2 * products[: negative[0] if len(negative) else None].sum())


def autocorrelations(x: np.ndarray) -> np.ndarray:
    """At lags 0 to n - 1."""
    centred = x - x.mean()
    return np.correlate(centred, centred, mode="full")[len(x) - 1 :] / (centred @ centred)


if __name__ == "__main__":
    main(sys.argv[1:])
