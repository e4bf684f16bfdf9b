"""How early entropy is spent and accuracy gained (2505.22617, section 2.3 and Fig. 2), per setting and over all."""

from math import isfinite

import numpy as np

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.curves import Curve, spent_early
from workflow_scripts.analysis.intervals import Estimate, mean_by_seed, over_seeds

SHARES = (1 / 12, 1 / 3)  # 200 and 800 of the paper's 2400 gradient steps
QUANTITIES = ("training entropy", "validation entropy", "accuracy")
UNCONTROLLED = "all without entropy control"

Row = dict[str, object]
Series = tuple[np.ndarray, np.ndarray]


def series_of(curve: Curve, metrics: dict[str, list]) -> dict[str, Series]:
    """(values, steps) of each quantity; `metrics` are columns of METRICS, steps without an entropy left out."""
    pairs = [(s, h) for s, h in zip(metrics["step"], metrics["entropy"], strict=True) if h is not None]
    steps, entropy = (
        np.array(column, dtype=np.float64) for column in (zip(*pairs, strict=True) if pairs else ((), ()))
    )
    training = (entropy, steps)
    return dict(zip(QUANTITIES, (training, (curve.entropy, curve.step), (curve.accuracy, curve.step)), strict=True))


def collapse_rows(runs: list[tuple[Arm, dict[str, Series]]], null_algorithms: list[str]) -> list[Row]:
    """COLLAPSE rows: one per setting, quantity and share, and the mean over all RL arms without entropy control."""
    groups: dict[str, list] = {}
    for arm, series in runs:
        groups.setdefault(arm.setting, []).append((arm.seed, series))
        if arm.entropy == "none" and arm.algorithm not in null_algorithms:
            groups.setdefault(UNCONTROLLED, []).append((arm.seed, series))
    return [
        {"arm": name, "quantity": quantity, "share": share, **_estimate(group, quantity, share).figures}
        for name, group in groups.items()
        for quantity in QUANTITIES
        for share in SHARES
    ]


def _estimate(group: list[tuple[int, dict[str, Series]]], quantity: str, share: float) -> Estimate:
    """Mean over seeds of the mean over the arms of a seed."""
    values = [(seed, spent_early(*series[quantity], share)) for seed, series in group]
    return over_seeds(mean_by_seed(pair for pair in values if isfinite(pair[1])))
