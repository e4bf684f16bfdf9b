"""Tables of the entropy law: one fit per arm and form, its intervals, and the points behind it."""

from math import nan

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.law import (
    FORMS,
    NAIVE,
    Bound,
    ceiling,
    coefficient_bounds,
    fit,
    last_quarter,
    late_errors,
    split_early,
)
from workflow_scripts.analysis.results import LawPoints

Row = dict[str, object]


def law_rows(arm: Arm, points: LawPoints, early_share: float) -> list[Row]:
    """One LAW row per form, and one per naive predictor (their coefficients are NaN)."""
    reached = float(last_quarter(points.accuracy, points.step).mean()) if len(points.step) else nan
    errors = late_errors(points.entropy, points.accuracy, points.step, early_share)
    common = {"arm": arm.setting, "seed": arm.seed, "accuracy_reached": reached, "n": len(points.step)}
    rows = []
    for form in FORMS:
        fitted = fit(form, points.entropy, points.accuracy, points.step)
        figures = {"a": fitted.a, "b": fitted.b, "r2": fitted.r2, "rmse": fitted.rmse}
        predicted = ceiling(form, fitted).value
        rows.append({**common, "form": form, **figures, "rmse_late": errors[form], "predicted_ceiling": predicted})
    for form in NAIVE:
        figures = dict.fromkeys(("a", "b", "r2", "rmse", "predicted_ceiling"), nan)
        rows.append({**common, "form": form, **figures, "rmse_late": errors[form]})
    return rows


def interval_rows(arm: Arm, points: LawPoints, early_share: float) -> list[Row]:
    """LAW_INTERVALS rows: a, b and the ceiling of the fit on all points, and the ceiling seen from the early ones."""
    early = split_early(points.step, early_share)
    rows = []
    for form in FORMS:
        fitted = fit(form, points.entropy, points.accuracy, points.step)
        first = fit(form, points.entropy[early], points.accuracy[early], points.step[early])
        bounds: dict[str, Bound] = {**coefficient_bounds(fitted), "ceiling": ceiling(form, fitted)}
        bounds["early ceiling"] = ceiling(form, first)
        for quantity, bound in bounds.items():
            figures = {"value": bound.value, "low": bound.low, "high": bound.high}
            rows.append({"arm": arm.setting, "seed": arm.seed, "form": form, "quantity": quantity, **figures})
    return rows


def point_rows(arm: Arm, points: LawPoints, early_share: float) -> list[Row]:
    """LAW_POINTS rows of one arm."""
    rows = []
    for step, entropy, accuracy, early in zip(
        points.step, points.entropy, points.accuracy, split_early(points.step, early_share), strict=True
    ):
        figures = {"entropy": float(entropy), "accuracy": float(accuracy), "early": bool(early)}
        rows.append({"arm": arm.setting, "seed": arm.seed, "step": int(step), **figures})
    return rows


def as_columns(rows: list[Row], names: list[str]) -> dict[str, list]:
    """Rows as the columns of a table."""
    return {name: [row[name] for row in rows] for name in names}
