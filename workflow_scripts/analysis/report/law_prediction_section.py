"""What the first part of a run predicts of its end: the advice, and whether it came true."""

from math import isfinite

import numpy as np

from workflow_scripts.analysis.intervals import over_seeds
from workflow_scripts.analysis.plots import Series, curves
from workflow_scripts.analysis.report.blocks import Column, Figure, Table
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import file_name, triple
from workflow_scripts.analysis.report.style import FORM_NAMES, FORM_STYLES
from workflow_scripts.analysis.svg import Style

_SHORT = 8  # rows; a longer table is folded


def blocks(data: ReportData) -> list:
    return [score_table(data), advice_table(data), figure(data)]


def _rows(data: ReportData, entropy_of: str = "training") -> list[dict]:
    return [row for row in data.tables["law_prediction"] if row["entropy_of"] == entropy_of]


def advice_table(data: ReportData) -> Table | None:
    """One row per arm and seed: the sentence that the early fit allows, and what happened."""
    cells = []
    for row in (row for row in _rows(data) if row["predictor"] == "exp"):
        outcome = {True: "inside", False: "outside", None: "no interval"}[row["inside"]]
        figures = [row["early"], _advice(row), triple(row), row["actual"], outcome]
        errors = [row["rmse_late"], row["error_final"], row["noise"]]
        cells.append([data.label(row["arm"]), row["seed"], *figures, *errors])
    columns = [Column("arm"), Column("seed", "int"), Column("points seen", "int"), Column("advice")]
    columns += [Column("predicted end, %", "share_interval"), Column("ended at, %", "share"), Column("outcome")]
    columns += [Column("late RMSE, %", "share"), Column("final error, %", "share"), Column("noise of R, %", "share")]
    inside = [cell[6] for cell in cells if cell[6] != "no interval"]
    caption = (
        "exp(H) fitted to the first points, then read at the entropy that the arm ended with (as the paper's Fig. 5 "
        "does: the entropy is known, the accuracy is not). The 95 % prediction interval holds the error of the line, "
        "its autocorrelated residuals and the noise of one validation. The end fell inside in "
        f"{inside.count('inside')} of {len(inside)} arms; an interval that spans most accuracies is no advice. "
        "Published: RMSE 0.9 % (mathematics) and 1.2 % (code) over all later steps, 0.5 % and 1.9 % at the last."
    )
    title, sources = "Where an arm will end, seen from its start", data.origins("law")
    folded = len(cells) > _SHORT
    return Table("law_prediction", title, caption, columns, cells, sources, folded) if cells else None


def _advice(row: dict) -> str:
    value, low, high = triple(row)
    if not isfinite(high - low):
        return "the first points allow no prediction"
    if low <= 0 or high >= 1:
        return f"this arm may end anywhere between {low:.2f} and {high:.2f}"
    return f"this arm is predicted to end at {value:.2f} ± {(high - low) / 2:.2f}"


def score_table(data: ReportData) -> Table | None:
    """One row per predictor over all arms: errors, noise, and how often its interval held the end."""
    cells = []
    for entropy_of in dict.fromkeys(row["entropy_of"] for row in data.tables["law_prediction"]):
        rows = _rows(data, entropy_of)
        for name in dict.fromkeys(row["predictor"] for row in rows):
            own = [row for row in rows if row["predictor"] == name and isfinite(row["rmse_late"])]
            held = [row["inside"] for row in own if row["inside"] is not None]
            errors = [_mean(own, column) for column in ("rmse_late", "error_final", "noise")]
            width = float(np.median([row["high"] - row["low"] for row in own if isfinite(row["high"])] or [np.nan]))
            share = sum(held) / len(held) if held else None
            cells.append([FORM_NAMES.get(name, name), entropy_of, *errors, share, width, len(own)])
    columns = [Column("predictor"), Column("entropy of"), Column("late RMSE, %", "share")]
    columns += [Column("final error, %", "share"), Column("noise of R, %", "share")]
    columns += [Column("end inside the interval, %", "share"), Column("median width, points", "share")]
    columns += [Column("arms", "int")]
    caption = (
        "Means over all arms and seeds. The error cannot fall below the noise of R, the binomial deviation of one "
        "validation. A good predictor has a small error and intervals that are narrow and hold the end in 95 % of the "
        "arms. Naive: the last early accuracy, or the mean of the early ones, for ever."
    )
    title, sources = "Predictors of the end", data.origins("law")
    return Table("law_predictors", title, caption, columns, cells, sources) if cells else None


def _mean(rows: list[dict], column: str) -> float:
    return over_seeds([row[column] for row in rows if isfinite(row[column])]).value


def figure(data: ReportData) -> Figure | None:
    """Accuracy per step with the early fit's prediction: settings without entropy control, first seed (as Fig. 5)."""
    panels, styles = [], [Style(0, "", "measured"), Style(FORM_STYLES["exp"].hue, "7 4", "exp(H) from the early part")]
    for setting, arms in data.settings.items():
        points = data.rows_of("law_points", arms[0]) if arms[0].entropy == "none" else []
        if points:
            step = np.array([p["step"] for p in points], dtype=float)
            columns = [100 * np.array([p[name] for p in points]) for name in ("accuracy", "predicted")]
            if not np.isfinite(columns[1]).all():
                continue
            series = [Series(style, step, y, y, y) for style, y in zip(styles, columns, strict=True)]
            label = data.look.label(arms[0])
            svg = curves(series, "rollout step", "accuracy (%)", f"Predicted and measured accuracy, {label}", False)
            panels.append((file_name("law_prediction", setting), label, svg))
    caption = (
        "Measured accuracy, and exp(H) of each step under the line fitted to the early points alone. First seed of "
        "each arm without entropy control."
    )
    if not panels:
        return None
    return Figure("law_prediction", "Prediction from the start", caption, panels, styles, data.origins("law"), True)
