"""The judge's audit: the gate, agreement beside constant and rule, votes, calibration."""

import numpy as np

from workflow_scripts.analysis.intervals import over_seeds
from workflow_scripts.analysis.plots import Series, reliability
from workflow_scripts.analysis.report.blocks import Column, Figure, Section, Table
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import cell
from workflow_scripts.analysis.report.judge_tables import (
    gate_table,
    judges_of,
    label,
    probe_table,
    rows_of,
    sources,
    wording_table,
)
from workflow_scripts.analysis.svg import Style

METRICS = (
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced accuracy"),
    ("kappa", "Cohen's κ"),
    ("recall", "recall of YES"),
    ("false_positive_rate", "false positives"),
    ("ece", "calibration error"),
    ("share_unclear", "P(YES) in 0.05–0.95"),
)
STYLES = {"teacher": Style(5, "9 3 2 3", "teacher"), "base": Style(0, "7 4", "judge before distillation")}
STYLES["distilled"] = Style(2, "", "judge after distillation")
VERSUS = ("truth", "teacher", "second", "majority")
RATERS = {"second": "second rater", "majority": "majority of the teacher's votes"}


def section(data: ReportData) -> Section | None:
    if not data.audits:
        return None
    intro = (
        "The judge stands between the policy and the truth. It is audited on held-out rollouts of the exploration, "
        "malformed ones included, before a policy may train on it. Agreement is shown beside what a constant answer, "
        "string match and the rules reach, since a high accuracy alone may be chance."
    )
    names = sorted({name for name, _ in data.audits})
    blocks = []
    for name in names:
        blocks += [
            gate_table(data, name),
            *agreement_tables(data, name),
            subject_table(data, name),
            votes_table(data, name),
            figure(data, name),
            bins_table(data, name),
            probe_table(data, name),
            wording_table(data, name),
        ]
    return Section("judge", "The judge's audit", intro, [block for block in blocks if block])


def agreement_tables(data: ReportData, name: str) -> list[Table]:
    """One table per rater that the others are measured against."""
    rows = [row for row in rows_of(data, name, "audit") if row["subject"] == "all"]
    tables = []
    for versus in (name for name in VERSUS if any(row["versus"] == name for row in rows)):
        found, rater = [row for row in rows if row["versus"] == versus], RATERS.get(versus, versus)
        metrics = [(m, head) for m, head in METRICS if any(row["metric"] == m for row in found)]
        cells = []
        for judge in judges_of(found):
            values = [[r["value"] for r in found if (r["judge"], r["metric"]) == (judge, m)] for m, _ in metrics]
            estimates = [cell(over_seeds(v)) if v else None for v in values]
            cells.append([label(judge), *estimates, max(r["n"] for r in found if r["judge"] == judge)])
        columns = [
            Column("judge"),
            *(Column(head, "number_interval") for _, head in metrics),
            Column("rollouts", "int"),
        ]
        caption = (
            f"Agreement with the {rater} on all audited rollouts; intervals over seeds where there are several. κ is "
            "0 for a rater that agrees by chance alone, as the constant answer does."
        )
        title = f"Agreement with the {rater}"
        tables.append(Table(f"agreement_{name}_{versus}", title, caption, columns, cells, sources(data, name)))
    return tables


def subject_table(data: ReportData, name: str) -> Table | None:
    """Kappa with the truth (or the teacher) by subject."""
    rows = [r for r in rows_of(data, name, "audit") if r["metric"] == "kappa" and r["subject"] != "all"]
    versus = "truth" if any(r["versus"] == "truth" for r in rows) else "teacher"
    rows = [r for r in rows if r["versus"] == versus]
    if not rows:
        return None
    subjects = sorted({r["subject"] for r in rows})
    cells = []
    for judge in judges_of(rows):
        found = [[r["value"] for r in rows if (r["judge"], r["subject"]) == (judge, subject)] for subject in subjects]
        cells.append([label(judge), *(over_seeds(values).value for values in found)])
    columns = [Column("judge"), *(Column(subject, "number") for subject in subjects)]
    caption = f"Cohen's κ with the {versus} by subject, mean over seeds: where the rules fail and the judge does not."
    title = "Agreement by subject"
    return Table(f"agreement_{name}_subjects", title, caption, columns, cells, sources(data, name))


def votes_table(data: ReportData, name: str) -> Table | None:
    """Accuracy and kappa of the majority of m votes of the teacher, m = 1, 2, ..., with each rater."""
    rows = [row for row in rows_of(data, name, "votes") if row["subject"] == "all"]
    raters = [versus for versus in ("second", "truth", "teacher") if any(row["versus"] == versus for row in rows)]
    cells = []
    for m in sorted({row["votes"] for row in rows}):
        found = [[row for row in rows if (row["votes"], row["versus"]) == (m, versus)] for versus in raters]
        figures = [over_seeds([row[metric] for row in one]) for one in found for metric in ("accuracy", "kappa")]
        cells.append([m, *map(cell, figures)])
    titles = {"teacher": "its likelier verdict", **RATERS}
    columns = [Column("votes m", "int")]
    for versus in raters:
        rater = titles.get(versus, versus)
        columns += [Column(f"{metric}, {rater}", "number_interval") for metric in ("accuracy", "Cohen's κ")]
    caption = (
        "The teacher's majority over its first m verdicts, sampled at a temperature, a tie counting as YES; intervals "
        "over seeds where there are several. 2503.23829 (Tables 7 and 8) reports κ of Qwen2.5-72B-Instruct with "
        "GPT-4o: 0.864 at m = 1 and 0.861 at m = 10 on mathematics, 0.881 and 0.883 on the other subjects."
    )
    title = "Majority votes of the teacher"
    return Table(f"votes_{name}", title, caption, columns, cells, sources(data, name)) if cells else None


def figure(data: ReportData, name: str) -> Figure | None:
    """Reliability diagram, first seed."""
    rows = rows_of(data, name, "reliability")
    first = min((row["seed"] for row in rows), default=0)
    series = []
    for judge in judges_of(rows):
        found = [row for row in rows if row["judge"] == judge and row["seed"] == first]
        x, y = (np.array([row[column] for row in found]) for column in ("mean_p_yes", "share_yes"))
        series.append(Series(STYLES.get(judge, Style(6, "4 2", judge)), x, y, y, y))
    if not series:
        return None
    versus = rows_of(data, name, "reliability")[0]["versus"]
    caption = (
        f"Share of answers that the {versus} accepts against the judge's P(YES). On the diagonal P(YES) can be read "
        "as a probability; a soft reward is then an honest one. First seed."
    )
    panels = [(f"reliability_{name}", "Reliability", reliability(series, "Reliability of the judge"))]
    return Figure(f"reliability_{name}", "Calibration", caption, panels, [s.style for s in series], sources(data, name))


def bins_table(data: ReportData, name: str) -> Table | None:
    """The numbers behind the diagram: every bin of every judge, first seed."""
    rows = rows_of(data, name, "reliability")
    first = min((row["seed"] for row in rows), default=0)
    columns = ("mean_p_yes", "share_yes", "n")
    cells = [
        [label(row["judge"]), f"{row['bin_low']:.1f}–{row['bin_high']:.1f}", *(row[column] for column in columns)]
        for row in rows
        if row["seed"] == first
    ]
    heads = [Column("judge"), Column("P(YES)"), Column("mean P(YES)", "number"), Column("share accepted", "number")]
    heads += [Column("rollouts", "int")]
    caption = "Bins of the reliability diagram. The expected calibration error is their mean distance, by rollouts."
    table = Table(f"bins_{name}", "Bins of the diagram", caption, heads, cells, sources(data, name), folded=True)
    return table if cells else None
