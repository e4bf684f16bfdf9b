"""Coefficients of the law: by what a study varies, against model size, and per arm with residuals."""

import numpy as np

from workflow_scripts.analysis.law import FORMS
from workflow_scripts.analysis.plots import Series, curves
from workflow_scripts.analysis.report.blocks import Column, Figure, Table
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import file_name, triple
from workflow_scripts.analysis.report.style import FORM_NAMES
from workflow_scripts.analysis.svg import Style

_FIELD_NAMES = {"policy": "model", "data": "training data", "algorithm": "algorithm"}
_QUANTITIES = ("a", "b", "ceiling")


def blocks(data: ReportData) -> list:
    tables = [field_table(data, field) for field in _FIELD_NAMES]
    return [*tables, size_table(data), full_table(data), residual_figure(data)]


def field_table(data: ReportData, field: str) -> Table | None:
    """Settings of one study that differ in this field alone, side by side."""
    chosen = [r for r in data.tables["law_contrasts"] if r["field"] == field and r["entropy_of"] == "training"]
    found: dict[tuple, dict[str, dict]] = {}
    for row in chosen:
        found.setdefault((row["study"], row["held"], row["level"]), {})[row["quantity"]] = row
    cells = []
    for (study, held, level), rows in found.items():
        figures = [triple(rows[name]) for name in _QUANTITIES]
        apart = [tuple(rows[name][f"difference{end}"] for end in ("", "_low", "_high")) for name in _QUANTITIES]
        cells.append([study, level, rows["a"]["parameters"], *figures, *apart, rows["a"]["seeds"], held])
    columns = [Column("study"), Column(_FIELD_NAMES[field]), Column("parameters", "int", "embeddings left out")]
    columns += [Column(name, "number_interval") for name in ("a", "b", "-a + b")]
    columns += [Column(f"{name}, from the first", "number_interval") for name in ("a", "b", "-a + b")]
    columns += [Column("seeds", "int"), Column("equal in all")]
    if field != "policy":
        columns.pop(2)
        cells = [row[:2] + row[3:] for row in cells]
    caption = (
        "Fits on exp(H) of the training entropy, means over seeds with t intervals. From the first: the difference "
        "from the first row of the same study, paired by seed; an interval that holds 0 shows no dependence, which is "
        "no proof that there is none."
    )
    if field == "algorithm":
        caption += " The paper finds the coefficients independent of the algorithm (its Fig. 6)."
    title = f"Coefficients by {_FIELD_NAMES[field]}"
    return Table(f"law_by_{field}", title, caption, columns, cells, data.origins("law")) if cells else None


def size_table(data: ReportData) -> Table | None:
    """Log-linear fits against the parameters."""
    cells = []
    for row in data.tables["law_sizes"]:
        names = [row["study"], row["quantity"], row["entropy_of"], triple(row)]
        cells.append([*names, row["sizes"], row["seeds"], row["method"], row["held"]])
    columns = [Column("study"), Column("coefficient"), Column("entropy of")]
    columns += [Column("slope per ln(parameters)", "number_interval"), Column("sizes", "int"), Column("seeds", "int")]
    columns += [Column("interval"), Column("equal in all")]
    caption = (
        "Coefficient = intercept + slope · ln(parameters without embeddings), as in the paper's Fig. 7, which prints "
        "no numbers (a up to 0.35, b from 0.1 to 0.8). An interval that holds 0 shows no trend with size."
    )
    title = "Coefficients against model size"
    return Table("law_sizes", title, caption, columns, cells, data.origins("law")) if cells else None


def full_table(data: ReportData) -> Table | None:
    """Coefficients per arm and seed with the intervals of the regression."""
    intervals = {
        (r["arm"], r["seed"], r["entropy_of"], r["form"], r["quantity"]): r for r in data.tables["law_intervals"]
    }
    rows = []
    for row in (r for r in data.tables["law"] if r["form"] in FORMS):
        key = (row["arm"], row["seed"], row["entropy_of"], row["form"])
        found = [intervals.get((*key, quantity)) for quantity in ("a", "b", "ceiling", "early ceiling")]
        cells = [(r["value"], r["low"], r["high"]) if r else None for r in found]
        head = [data.label(row["arm"]), row["seed"], row["entropy_of"], FORM_NAMES[row["form"]], row["n"]]
        fit = [row[name] for name in ("r2", "rmse", "autocorrelation", "n_effective", "rmse_late")]
        rows.append([*head, *fit, *cells])
    columns = [Column("arm"), Column("seed", "int"), Column("entropy of"), Column("form"), Column("points", "int")]
    columns += [Column("R²", "number"), Column("RMSE, %", "share"), Column("residuals' autocorrelation", "number")]
    columns += [Column("independent points", "number"), Column("late RMSE, %", "share")]
    columns += [Column(name, "number_interval") for name in ("a", "b", "ceiling", "ceiling from the early part")]
    caption = (
        "Coefficients with 95 % intervals of the regression. Residuals of neighbouring points resemble one another "
        "(lag-1 autocorrelation); the intervals count only as many points as are independent. Ordinary intervals would "
        "be too narrow."
    )
    title = "Coefficients by arm and seed"
    sources = data.origins("law")
    return Table("law_coefficients", title, caption, columns, rows, sources, folded=True) if rows else None


def residual_figure(data: ReportData) -> Figure | None:
    """Residuals of exp(H) per step: what the fit leaves should be noise without a pattern."""
    panels = []
    styles = [Style(2, "", "measured less fitted"), Style(0, "7 4", "± 2 binomial deviations")]
    for setting, arms in data.settings.items():
        points = data.rows_of("law_points", arms[0])
        if not points or arms[0].entropy != "none" or not np.isfinite([p["fitted"] for p in points]).all():
            continue
        step = np.array([p["step"] for p in points], dtype=float)
        residual = 100 * np.array([p["accuracy"] - p["fitted"] for p in points])
        noise = 200 * np.array([p["noise"] for p in points])
        series = [Series(styles[0], step, residual, residual, residual)]
        if np.isfinite(noise).all():
            series += [Series(styles[1], step, side, side, side) for side in (noise, -noise)]
        label = data.look.label(arms[0])
        svg = curves(series, "rollout step", "residual (points)", f"Residuals of the law, {label}", False)
        panels.append((file_name("law_residuals", setting), label, svg))
    caption = (
        "Accuracy less the fit of exp(H) on all points, per step. A run of one sign is a pattern that the law does not "
        "explain. First seed of each arm without entropy control."
    )
    sources = data.origins("law")
    return Figure("law_residuals", "Residuals", caption, panels, styles, sources, folded=True) if panels else None
