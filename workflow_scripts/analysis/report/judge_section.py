"""The judge's audit: agreement beside constant and rule, before and after distillation; reliability; probes."""

import numpy as np

from workflow_scripts.analysis.intervals import over_seeds
from workflow_scripts.analysis.plots import Series, reliability
from workflow_scripts.analysis.report.blocks import Column, Figure, Section, Table
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import cell
from workflow_scripts.analysis.svg import Style

METRICS = (
    ("balanced_accuracy", "balanced accuracy"),
    ("kappa", "Cohen's κ"),
    ("recall", "recall of YES"),
    ("false_positive_rate", "false positives"),
    ("ece", "calibration error"),
    ("share_unclear", "P(YES) in 0.05–0.95"),
)
STYLES = {"teacher": Style(5, "9 3 2 3", "teacher"), "base": Style(0, "7 4", "judge before distillation")}
STYLES["distilled"] = Style(2, "", "judge after distillation")
VERSUS = ("truth", "teacher", "majority")
NAMES = {
    "base": "judge before distillation",
    "distilled": "judge after distillation",
    "constant": "constant answer",
    "string": "string match",
    "contains": "containment rule",
    "rule": "normalising rule",
}


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
            *agreement_tables(data, name),
            subject_table(data, name),
            figure(data, name),
            probe_table(data, name),
        ]
    return Section("judge", "The judge's audit", intro, [block for block in blocks if block])


def _rows(data: ReportData, name: str, table: str) -> list[dict]:
    """Rows of one judge's audits over its seeds."""
    found = sorted(key for key in data.audits if key[0] == name)
    return [{**row, "seed": key[1]} for key in found for row in data.audits[key][table]]


def _sources(data: ReportData, name: str) -> list[str]:
    return [data.origin(f"audit:{judge}.s{seed}") for judge, seed in sorted(data.audits) if judge == name]


def _judges(rows: list[dict]) -> list[str]:
    """Order of appearance: the audit lists the models first, then what they are compared with."""
    return list(dict.fromkeys(row["judge"] for row in rows))


def agreement_tables(data: ReportData, name: str) -> list[Table]:
    """One table per rater that the others are measured against."""
    rows = [row for row in _rows(data, name, "audit") if row["subject"] == "all"]
    tables = []
    for versus in (name for name in VERSUS if any(row["versus"] == name for row in rows)):
        found = [row for row in rows if row["versus"] == versus]
        metrics = [(m, label) for m, label in METRICS if any(row["metric"] == m for row in found)]
        cells = []
        for judge in _judges(found):
            values = [[r["value"] for r in found if (r["judge"], r["metric"]) == (judge, m)] for m, _ in metrics]
            estimates = [cell(over_seeds(v)) if v else None for v in values]
            cells.append([NAMES.get(judge, judge), *estimates, max(r["n"] for r in found if r["judge"] == judge)])
        columns = [
            Column("judge"),
            *(Column(label, "number_interval") for _, label in metrics),
            Column("rollouts", "int"),
        ]
        caption = (
            f"Agreement with the {versus} on all audited rollouts; intervals over seeds where there are several. κ is "
            "0 for a rater that agrees by chance alone, as the constant answer does."
        )
        gate = [row["value"] for row in found if row["metric"] == "gate"]
        caption += f" Gate passed by {int(sum(gate))} of {len(gate)} judges." if gate else ""
        title = f"Agreement with the {versus}"
        tables.append(Table(f"agreement_{name}_{versus}", title, caption, columns, cells, _sources(data, name)))
    return tables


def subject_table(data: ReportData, name: str) -> Table | None:
    """Kappa with the truth (or the teacher) by subject."""
    rows = [r for r in _rows(data, name, "audit") if r["metric"] == "kappa" and r["subject"] != "all"]
    versus = "truth" if any(r["versus"] == "truth" for r in rows) else "teacher"
    rows = [r for r in rows if r["versus"] == versus]
    if not rows:
        return None
    subjects = sorted({r["subject"] for r in rows})
    cells = []
    for judge in _judges(rows):
        found = [[r["value"] for r in rows if (r["judge"], r["subject"]) == (judge, subject)] for subject in subjects]
        cells.append([NAMES.get(judge, judge), *(over_seeds(values).value for values in found)])
    columns = [Column("judge"), *(Column(subject, "number") for subject in subjects)]
    caption = f"Cohen's κ with the {versus} by subject, mean over seeds: where the rules fail and the judge does not."
    title = "Agreement by subject"
    return Table(f"agreement_{name}_subjects", title, caption, columns, cells, _sources(data, name))


def figure(data: ReportData, name: str) -> Figure | None:
    """Reliability diagram, first seed."""
    rows = _rows(data, name, "reliability")
    first = min((row["seed"] for row in rows), default=0)
    series = []
    for judge in _judges(rows):
        found = [row for row in rows if row["judge"] == judge and row["seed"] == first]
        x, y = (np.array([row[column] for row in found]) for column in ("mean_p_yes", "share_yes"))
        series.append(Series(STYLES.get(judge, Style(6, "4 2", judge)), x, y, y, y))
    if not series:
        return None
    caption = (
        "Share of truly equivalent answers against the judge's P(YES). On the diagonal P(YES) can be read as a "
        "probability; a soft reward is then an honest one. First seed."
    )
    panels = [(f"reliability_{name}", "Reliability", reliability(series, "Reliability of the judge"))]
    return Figure(
        f"reliability_{name}", "Calibration", caption, panels, [s.style for s in series], _sources(data, name)
    )


def probe_table(data: ReportData, name: str) -> Table | None:
    """Acceptance of empty and content-free answers."""
    rows = [row for row in _rows(data, name, "probes") if row["subject"] == "all"]
    if not rows:
        return None
    judges = _judges(rows)
    cells = []
    for probe in dict.fromkeys(row["probe"] for row in rows):
        found = [[r["false_positive_rate"] for r in rows if (r["probe"], r["judge"]) == (probe, j)] for j in judges]
        cells.append([repr(probe), *(over_seeds(values).value for values in found)])
    columns = [Column("answer", "code"), *(Column(f"{NAMES.get(judge, judge)}, %", "share") for judge in judges)]
    caption = (
        "Share of questions for which an empty or content-free answer is accepted, mean over seeds. Anything above "
        "zero is a reward that a policy can learn to collect without solving anything (2507.08794)."
    )
    return Table(
        f"probes_{name}", "False positives on content-free answers", caption, columns, cells, _sources(data, name)
    )
