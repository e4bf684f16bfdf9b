"""The entropy law: points and fits per arm, beside the alternatives, and the ceiling against what was reached."""

from math import isfinite, nan

import numpy as np

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.intervals import over_seeds
from workflow_scripts.analysis.law import FORMS, NAIVE, regressor
from workflow_scripts.analysis.plots import LawPlot, law
from workflow_scripts.analysis.report.blocks import Column, Figure, Section, Table
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import cell, file_name
from workflow_scripts.analysis.report.style import FORM_NAMES, FORM_STYLES

_DRAWN = ("exp", "linear", "log")  # log step is no function of the entropy
_SMALLEST = 0.005  # nats; where the drawn lines start, as log H has no value at 0


def section(data: ReportData) -> Section:
    intro = (
        "The paper's law R = -a·exp(H) + b predicts accuracy from entropy alone, with the ceiling -a + b where "
        "entropy is spent. Two curves with a trend always correlate, so a high R² says little: what counts is the "
        "error on the late points of a fit to the early ones, against other forms and against naive predictors."
    )
    return Section("law", "The entropy law", intro, [b for b in (figure(data), summary(data), full_table(data)) if b])


def figure(data: ReportData) -> Figure | None:
    """One panel per setting: the points of its first seed, with the fits to all of them."""
    panels = []
    for setting, arms in data.settings.items():
        arm = arms[0]
        points = _where(data.tables["law_points"], arm)
        if not points:
            continue
        svg = law(_plot(data, arm, points), data.look.style(arm), f"Accuracy against entropy, {data.look.label(arm)}")
        panels.append((file_name("law", setting), data.look.label(arm), svg))
    caption = (
        "Each dot is one validation: accuracy after an update against the training entropy before it (hollow: the "
        "early part). The dashed horizontal line is the accuracy reached, the grey dot at H = 0 the ceiling that the "
        "exp(H) fit predicts: the law is right about the ceiling where the dot lies on the line. First seed of each "
        "arm."
    )
    if not panels:
        return None
    styles = [FORM_STYLES[form] for form in _DRAWN]
    return Figure("law", "Accuracy against entropy", caption, panels, styles, data.origins("law"))


def _where(rows: list[dict], arm: Arm) -> list[dict]:
    return [row for row in rows if row["arm"] == arm.setting and row["seed"] == arm.seed]


def _plot(data: ReportData, arm: Arm, points: list[dict]) -> LawPlot:
    entropy, accuracy = (np.array([p[name] for p in points]) for name in ("entropy", "accuracy"))
    fits = {row["form"]: row for row in _where(data.tables["law"], arm)}
    grid = np.linspace(_SMALLEST, float(entropy.max()) * 1.05, 120)
    lines = []
    for form in _DRAWN:
        row = fits.get(form)
        if row and isfinite(row["a"]):
            lines.append((FORM_STYLES[form], grid, 100 * (row["b"] - row["a"] * regressor(form, grid, grid))))
    exp = fits.get("exp", {})
    early = np.array([p["early"] for p in points])
    ends = exp.get("predicted_ceiling", nan), exp.get("accuracy_reached", nan)
    return LawPlot(entropy, 100 * accuracy, early, lines, *(100 * end for end in ends))


def summary(data: ReportData) -> Table | None:
    """One row per setting, means over seeds: error on the late points by predictor, and the ceiling."""
    cells = []
    for arms in data.settings.values():
        rows = [row for arm in arms for row in _where(data.tables["law"], arm)]
        exp = [row for row in rows if row["form"] == "exp"]
        if not exp:
            continue
        late = [over_seeds([r["rmse_late"] for r in rows if r["form"] == form]).value for form in (*FORMS, *NAIVE)]
        ends = [cell(over_seeds([row[name] for row in exp])) for name in ("predicted_ceiling", "accuracy_reached")]
        gap = cell(over_seeds([row["predicted_ceiling"] - row["accuracy_reached"] for row in exp]))
        cells.append([data.look.label(arms[0]), over_seeds([row["r2"] for row in exp]).value, *late, *ends, gap])
    columns = [Column("arm"), Column("R² of exp(H)", "number")]
    columns += [Column(f"{FORM_NAMES[form]}, late %", "share") for form in (*FORMS, *NAIVE)]
    columns += [Column("ceiling -a + b, %", "share_interval"), Column("reached, %", "share_interval")]
    columns += [Column("ceiling - reached, %", "share_interval")]
    caption = (
        "Late %: RMSE on the late points of a fit to the early ones. The law explains more than a trend only where "
        "the error of exp(H) is no larger than those of the other forms and of the naive predictors, and its ceiling "
        "meets the accuracy reached (mean over the last quarter). Means over seeds."
    )
    best = sum(row[2] <= min(row[3:8]) for row in cells)
    near = sum(abs(row[-1][0]) <= 0.03 for row in cells)
    caption += f" Here exp(H) has the least late error in {best} of {len(cells)} settings, and its ceiling lies within "
    caption += f"3 points of the accuracy reached in {near}."
    title, sources = "The law against its alternatives", data.origins("law")
    return Table("law", title, caption, columns, cells, sources) if cells else None


def full_table(data: ReportData) -> Table | None:
    """Coefficients per arm and seed with the intervals of the regression."""
    intervals = {(r["arm"], r["seed"], r["form"], r["quantity"]): r for r in data.tables["law_intervals"]}
    names = {arm.setting: data.look.label(arm) for arm in data.arms}
    rows = []
    for row in (r for r in data.tables["law"] if r["form"] in FORMS):
        key = (row["arm"], row["seed"], row["form"])
        found = [intervals.get((*key, quantity)) for quantity in ("a", "b", "ceiling", "early ceiling")]
        cells = [(r["value"], r["low"], r["high"]) if r else None for r in found]
        head = [names.get(row["arm"], row["arm"]), row["seed"], FORM_NAMES[row["form"]], row["n"]]
        rows.append([*head, row["r2"], row["rmse"], row["rmse_late"], *cells])
    columns = [Column("arm"), Column("seed", "int"), Column("form"), Column("points", "int"), Column("R²", "number")]
    columns += [Column("RMSE, %", "share"), Column("late RMSE, %", "share")]
    columns += [Column(name, "number_interval") for name in ("a", "b", "ceiling", "ceiling from the early part")]
    caption = (
        "Coefficients with the 95 % intervals of the regression, which take the residuals of a run as independent and "
        "are therefore too narrow rather than too wide."
    )
    title = "Coefficients by arm and seed"
    sources = data.origins("law")
    return Table("law_coefficients", title, caption, columns, rows, sources, folded=True) if rows else None
