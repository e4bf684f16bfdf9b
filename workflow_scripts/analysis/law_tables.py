"""Tables of the entropy law per arm: fits of each form, their intervals, the points behind them, and predictions."""

from math import nan

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.law import (
    FORMS,
    NAIVE,
    Bound,
    ceiling,
    coefficient_bounds,
    regressor,
    split_early,
)
from workflow_scripts.analysis.law_prediction import predict_end
from workflow_scripts.analysis.results import LawPoints

Row = dict[str, object]


def law_rows(arm: Arm, entropy_of: str, points: LawPoints, early_share: float) -> list[Row]:
    """One LAW row per form, and one per naive predictor (their coefficients are NaN)."""
    errors = points.late_errors(early_share)
    common = {**_names(arm, entropy_of), "accuracy_reached": points.reached, "n": len(points.step)}
    rows = []
    for form in FORMS:
        fitted = points.fit(form)
        figures = {name: getattr(fitted, name) for name in ("a", "b", "r2", "rmse", "autocorrelation", "n_effective")}
        predicted = ceiling(form, fitted).value
        rows.append({**common, "form": form, **figures, "rmse_late": errors[form], "predicted_ceiling": predicted})
    for form in NAIVE:
        missing = ("a", "b", "r2", "rmse", "autocorrelation", "n_effective", "predicted_ceiling")
        rows.append({**common, "form": form, **dict.fromkeys(missing, nan), "rmse_late": errors[form]})
    return rows


def interval_rows(arm: Arm, entropy_of: str, points: LawPoints, early_share: float) -> list[Row]:
    """LAW_INTERVALS rows: a, b and the ceiling of the fit on all points, and the ceiling seen from the early ones."""
    early = split_early(points.step, early_share)
    rows = []
    for form in FORMS:
        fitted = points.fit(form)
        first = points.fit(form, early)
        bounds: dict[str, Bound] = {**coefficient_bounds(fitted), "ceiling": ceiling(form, fitted)}
        bounds["early ceiling"] = ceiling(form, first)
        for quantity, bound in bounds.items():
            rows.append({**_names(arm, entropy_of), "form": form, "quantity": quantity, **vars(bound)})
    return rows


def point_rows(arm: Arm, entropy_of: str, points: LawPoints, early_share: float) -> list[Row]:
    """LAW_POINTS rows of one arm: the points, and exp(H) fitted to all of them and to the early ones."""
    early = split_early(points.step, early_share)
    whole = points.fit()
    first = points.fit("exp", early)
    x = regressor("exp", points.entropy, points.step)
    columns = {
        "step": [int(step) for step in points.step],
        "entropy": points.entropy.tolist(),
        "accuracy": points.accuracy.tolist(),
        "early": early.tolist(),
        "fitted": whole.predict(x).tolist(),
        "predicted": first.predict(x).tolist(),
        "noise": points.noise.tolist(),
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [{**_names(arm, entropy_of), **row} for row in rows]


def prediction_rows(arm: Arm, entropy_of: str, points: LawPoints, early_share: float) -> list[Row]:
    """LAW_PREDICTION rows: where each predictor sees the arm end, and where it ended."""
    early = split_early(points.step, early_share)
    rows = []
    for one in predict_end(points, early_share):
        errors = {name: getattr(one, name) for name in ("actual", "inside", "rmse_late", "error_final", "noise")}
        counts = {"early": int(early.sum()), "late": int((~early).sum())}
        names = {**_names(arm, entropy_of), "predictor": one.predictor}
        rows.append({**names, **counts, **vars(one.predicted), **errors})
    return rows


def _names(arm: Arm, entropy_of: str) -> Row:
    return {"arm": arm.setting, "seed": arm.seed, "entropy_of": entropy_of}
