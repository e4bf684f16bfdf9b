"""The entropy law: verdicts, points and fits beside the alternatives, and the ceiling against what was reached."""

from math import isfinite, nan

import numpy as np

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.intervals import over_seeds
from workflow_scripts.analysis.law import FORMS, NAIVE, regressor
from workflow_scripts.analysis.law_verdicts import MARGIN, SPENT
from workflow_scripts.analysis.plots import LawPlot, law
from workflow_scripts.analysis.report import law_coefficients_section, law_prediction_section
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
        "error on the late points of a fit to the early ones, against other forms and against naive predictors, and "
        "whether the same fit on training that is no RL looks any different."
    )
    blocks = [verdict_table(data), figure(data), summary(data)]
    blocks += law_prediction_section.blocks(data) + [null_control_table(data)] + law_coefficients_section.blocks(data)
    return Section("law", "The entropy law", intro, [block for block in blocks if block])


def verdict_table(data: ReportData) -> Table | None:
    """One row per setting: the two conditions of the law under both readings of the entropy."""
    cells = []
    for row in data.tables["law_verdicts"]:
        excess, gap = ((row[n], row[f"{n}_low"], row[f"{n}_high"]) for n in ("excess", "gap"))
        name = data.label(row["arm"]) + (" (null control)" if row["null_control"] else "")
        against = FORM_NAMES.get(row["alternative"], row["alternative"])
        ceiling = [gap, 100 * row["entropy_left"] if isfinite(row["entropy_left"]) else None]
        parts = [row["prediction"], against, excess, row["ceiling"], *ceiling]
        cells.append([name, row["entropy_of"], row["verdict"], *parts, row["seeds"]])
    columns = [Column("arm"), Column("entropy of"), Column("the law", "verdict"), Column("1. out of sample", "verdict")]
    columns += [Column("hardest alternative"), Column("late error less its, points", "share_interval")]
    columns += [Column("2. ceiling", "verdict"), Column("ceiling - reached, points", "share_interval")]
    columns += [Column("entropy left, %", "number"), Column("seeds", "int")]
    caption = (
        f"The law holds only where both are true: (1) against every alternative the late error of exp(H) is less than "
        f"{100 * MARGIN:g} point worse (paired by seed), and (2) the accuracy reached lies in the interval of the "
        f"ceiling -a + b. The ceiling is for spent entropy: with more than {100 * SPENT:g} % of it left it was not to "
        "be reached, and is no test. Entropy of training: the paper's, of the rollouts before the update; of "
        "validation: of the validated responses themselves."
    )
    title, sources = "Does the law hold?", data.origins("law")
    return Table("law_verdicts", title, caption, columns, cells, sources) if cells else None


def figure(data: ReportData) -> Figure | None:
    """One panel per setting: the points of its first seed, with the fits to all of them."""
    panels = []
    for setting, arms in data.settings.items():
        arm = arms[0]
        points = data.rows_of("law_points", arm)
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


def _plot(data: ReportData, arm: Arm, points: list[dict]) -> LawPlot:
    entropy, accuracy = (np.array([p[name] for p in points]) for name in ("entropy", "accuracy"))
    fits = {row["form"]: row for row in data.rows_of("law", arm)}
    grid = np.linspace(_SMALLEST, float(entropy.max()) * 1.05, 60)
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
    """One row per setting, means over seeds: error on the late points by predictor, the noise of R, and the ceiling."""
    cells = [row for arms in data.settings.values() if (row := _summary_row(data, arms))]
    columns = [Column("arm"), Column("R² of exp(H)", "number")]
    columns += [Column(f"{FORM_NAMES[form]}, late %", "share") for form in (*FORMS, *NAIVE)]
    columns += [Column("noise of R, %", "share", "binomial; no predictor can have a smaller error")]
    columns += [Column("ceiling -a + b, %", "share_interval"), Column("reached, %", "share_interval")]
    columns += [Column("ceiling - reached, %", "share_interval")]
    best = sum(row[2] <= min(row[3:8]) for row in cells)
    near = sum(abs(row[-1][0]) <= 0.03 for row in cells)
    caption = (
        "Late %: RMSE on the late points of a fit to the early ones. The law explains more than a trend only where "
        "the error of exp(H) is no larger than those of the other forms and of the naive predictors, and its ceiling "
        "meets the accuracy reached (mean over the last quarter). Means over seeds, training entropies. Here exp(H) "
        f"has the least late error in {best} of {len(cells)} settings, and its ceiling lies within 3 points of the "
        f"accuracy reached in {near}."
    )
    title, sources = "The law against its alternatives", data.origins("law")
    return Table("law", title, caption, columns, cells, sources) if cells else None


def _summary_row(data: ReportData, arms: list[Arm], entropy_of: str = "training") -> list | None:
    rows = [row for arm in arms for row in data.rows_of("law", arm, entropy_of)]
    exp = [row for row in rows if row["form"] == "exp"]
    if not exp:
        return None
    late = [over_seeds([r["rmse_late"] for r in rows if r["form"] == form]).value for form in (*FORMS, *NAIVE)]
    predicted = [row for arm in arms for row in data.rows_of("law_prediction", arm, entropy_of)]
    noise = over_seeds([row["noise"] for row in predicted if row["predictor"] == "exp"]).value
    ends = [cell(over_seeds([row[name] for row in exp])) for name in ("predicted_ceiling", "accuracy_reached")]
    gap = cell(over_seeds([row["predicted_ceiling"] - row["accuracy_reached"] for row in exp]))
    label = data.look.label(arms[0])
    return [label, over_seeds([row["r2"] for row in exp]).value, *late, noise, *ends, gap]


def null_control_table(data: ReportData) -> Table | None:
    """The fit on validation entropies: training on the starting policy's own right responses beside RL."""
    null = {row["arm"] for row in data.tables["law_verdicts"] if row["null_control"]}
    if not null:
        return None
    cells = []
    for setting, arms in sorted(data.settings.items(), key=lambda item: item[0] not in null):
        row = _summary_row(data, arms, "validation") if setting in null or arms[0].entropy == "none" else None
        if row:
            rest = min(row[3:8])
            cells.append([row[0], "no RL" if setting in null else "RL", row[1], row[2], rest, row[2] - rest, *row[8:]])
    columns = [Column("arm"), Column("training"), Column("R² of exp(H)", "number"), Column("exp(H), late %", "share")]
    columns += [Column("best alternative, late %", "share"), Column("difference, points", "share")]
    columns += [Column("noise of R, %", "share"), Column("ceiling -a + b, %", "share_interval")]
    columns += [Column("reached, %", "share_interval"), Column("ceiling - reached, %", "share_interval")]
    caption = (
        "Supervised fine-tuning on the starting policy's own right answers is no RL, yet its entropy falls and its "
        "accuracy rises. Where exp(H) fits it as well as the RL arms, the fit says nothing about RL. All on the "
        "entropies of the validated responses, as the null control has no rollouts of its own; arms without entropy "
        "control, means over seeds."
    )
    title, sources = "Null control: the same fit without RL", data.origins("law")
    return Table("law_null_control", title, caption, columns, cells, sources)
