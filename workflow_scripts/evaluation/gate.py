"""The gate between an audited judge and the arms: thresholds of the config against figures of the audit (GATE rows)."""

from typing import Any, NamedTuple

Rows = list[dict[str, Any]]
AT_MOST = ("false_positive_rate", "ece", "flipped")  # all other thresholds are to be reached or exceeded


class Figure(NamedTuple):
    """A measured value and how much is behind it; NaN where it could not be measured."""

    value: float
    n: int


def gate_figures(audit: Rows, worst_probe: Figure, worst_wording: Figure) -> dict[str, Figure]:
    """The figure behind each threshold, for the distilled judge on all subjects together."""

    def agreement(versus: str, metric: str) -> Figure:
        wanted = ("distilled", versus, "all", metric)
        found = [row for row in audit if (row["judge"], row["versus"], row["subject"], row["metric"]) == wanted]
        return Figure(found[0]["value"], found[0]["n"]) if found else Figure(float("nan"), 0)

    return {
        **{name: agreement("teacher", name) for name in ("balanced_accuracy", "kappa", "accuracy", "ece")},
        "kappa_truth": agreement("truth", "kappa"),
        "false_positive_rate": worst_probe,
        "flipped": worst_wording,
    }


def gate_rows(figures: dict[str, Figure], gate: dict[str, float | None]) -> Rows:
    """One row per threshold that the config sets. A figure that could not be measured (NaN) does not pass."""
    rows = []
    for name, limit in gate.items():
        if limit is None:
            continue
        value, n = figures[name]
        passed = value <= limit if name in AT_MOST else value >= limit
        bound = "at most" if name in AT_MOST else "at least"
        rows.append({"threshold": name, "value": value, "bound": bound, "limit": limit, "passed": passed, "n": n})
    return rows
