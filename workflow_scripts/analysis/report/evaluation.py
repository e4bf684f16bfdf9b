"""Evaluation: the graders side by side, accuracy and differences by subject, pass@k."""

import numpy as np

from workflow_scripts.analysis.grades import ALL, GRADERS
from workflow_scripts.analysis.plots import Dot, Series, dots, pass_at_k
from workflow_scripts.analysis.report import answers_section
from workflow_scripts.analysis.report.blocks import Column, Figure, Section, Table
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import file_name, main_rows, setting_style, triple
from workflow_scripts.analysis.report.style import pretty
from workflow_scripts.analysis.svg import Style


def section(data: ReportData) -> Section:
    intro = (
        "Every answer is graded by all graders that the benchmark names. Where the truth is known the others are shown "
        "beside it: a policy may look better or worse than it is, depending on who grades."
    )
    blocks = [
        grader_table(data),
        recall_table(data),
        differences_figure(data),
        subject_table(data),
        pass_at_k_figure(data),
        *answers_section.blocks(data),
    ]
    blocks += [difference_table(data)]
    return Section("evaluation", "Evaluation", intro, [block for block in blocks if block])


def grader_table(data: ReportData) -> Table | None:
    """One row per setting and benchmark, one column per grader."""
    rows = data.tables["comparison"]
    graders = [name for name in GRADERS if any(row["grader"] == name for row in rows)]
    found = {(row["arm"], row["benchmark"], row["grader"]): row for row in rows}
    cells = []
    for arm, benchmark in dict.fromkeys((row["arm"], row["benchmark"]) for row in rows):
        figures = [found.get((arm, benchmark, grader)) for grader in graders]
        some = next(row for row in figures if row)
        counts = [some["seeds"], some["questions"], some["method"]]
        cells.append([data.label(arm), benchmark, *(triple(row) if row else None for row in figures), *counts])
    columns = [Column("arm"), Column("benchmark"), *(Column(f"{grader}, %", "share_interval") for grader in graders)]
    columns += [Column("seeds", "int"), Column("questions", "int"), Column("interval")]
    caption = (
        "Share of sampled answers accepted (avg@k) by each grader. Truth: the generator's own equivalence. Rule: the "
        "normalising rule. Contains: the containment rule of 2503.23829. Teacher: the large judge. A rule far below "
        "the truth rejects right answers that are written in another form."
    )
    sources = data.origins("comparison")
    return Table("graders", "The same answers under every grader", caption, columns, cells, sources) if cells else None


def recall_table(data: ReportData) -> Table | None:
    """Recall and false positives of the graders on the untrained policies' answers, by subject."""
    names = {arm.setting for arm in data.baselines}
    rows = [row for row in data.tables["grader_errors"] if row["arm"] in names]
    graders = list(dict.fromkeys(row["grader"] for row in rows))
    cells = []
    for arm, benchmark, subject in dict.fromkeys((r["arm"], r["benchmark"], r["subject"]) for r in rows):
        found = {r["grader"]: r for r in rows if (r["arm"], r["benchmark"], r["subject"]) == (arm, benchmark, subject)}
        some = next(iter(found.values()))
        figures = [(found.get(g) or {}).get(n) for n in ("recall", "false_positive_rate") for g in graders]
        cells.append([arm, benchmark, f"{subject}{_mark(data, subject)}", *figures, some["right"], some["wrong"]])
    columns = [Column("policy"), Column("benchmark"), Column("subject")]
    columns += [Column(f"{grader}: right answers accepted, %", "share") for grader in graders]
    columns += [Column(f"{grader}: wrong answers accepted, %", "share") for grader in graders]
    columns += [Column("right", "int"), Column("wrong", "int")]
    caption = (
        "Answers of the untrained policy, by the truth. A rule that accepts about half of the right answers rewards "
        "the form of an answer as much as its content; the papers' own data are such (45.4 % of the multi-subject and "
        "60.3 % of the mathematics answers can be checked by rule)." + _groups(data)
    )
    title, sources = "What the graders miss and let through", data.origins("comparison")
    return Table("grader_errors", title, caption, columns, cells, sources) if cells else None


def subject_table(data: ReportData) -> Table | None:
    """Accuracy by subject under the main grader, subjects across."""
    rows = main_rows(data, "by_subject")
    if not rows:
        return None
    subjects = sorted({row["subject"] for row in rows})
    found = {(row["arm"], row["benchmark"], row["subject"]): row for row in rows}
    cells = []
    for arm, benchmark in dict.fromkeys((row["arm"], row["benchmark"]) for row in rows):
        figures = [found.get((arm, benchmark, subject)) for subject in subjects]
        cells.append([data.label(arm), benchmark, *(triple(row) if row else None for row in figures)])
    columns = [Column("arm"), Column("benchmark")]
    columns += [Column(f"{subject}{_mark(data, subject)}, %", "share_interval") for subject in subjects]
    caption = "Accuracy by subject with 95 % intervals, by the truth where there is one." + _groups(data)
    return Table("by_subject", "Accuracy by subject", caption, columns, cells, data.origins("comparison"))


def _mark(data: ReportData, subject: str) -> str:
    if subject in data.config.get("control_subjects", []):
        return " (control)"
    return " (unseen)" if subject in data.config.get("ood_subjects", []) else ""


def _groups(data: ReportData) -> str:
    control, unseen = data.config.get("control_subjects", []), data.config.get("ood_subjects", [])
    text = " Control: a subject that the rule can check, where the judge is not expected to win." if control else ""
    return text + (" Unseen: no exploration, label or distillation saw this subject." if unseen else "")


def differences_figure(data: ReportData) -> Figure | None:
    """Judge against rule by subject: one panel per pair of rewards under the same entropy setting."""
    rows = [row for row in data.tables["differences"] if row["field"] == "reward" and row["versus"].count("rule")]
    panels = []
    for arm, versus, benchmark in dict.fromkeys((r["arm"], r["versus"], r["benchmark"]) for r in rows):
        chosen = [r for r in rows if (r["arm"], r["versus"], r["benchmark"]) == (arm, versus, benchmark)]
        style = setting_style(data, arm)
        groups = []
        for row in chosen:
            label = "all subjects" if row["subject"] == ALL else f"{row['subject']}{_mark(data, row['subject'])}"
            groups.append((label, [Dot(style, *(100 * v for v in triple(row)))]))
        title = _difference_title(data, arm, versus)
        drawing = dots(groups, "difference in accuracy (points)", title, zero=True)
        panels.append((file_name("difference", arm, benchmark), title, drawing))
    caption = (
        "Accuracy of the policy trained under a reward less that of the one trained under the rule, same entropy "
        "setting and seed, with 95 % intervals. Right of the line the rule's policy is worse. An interval across the "
        "line decides "
        "nothing." + _groups(data)
    )
    sources = data.origins("comparison")
    return (
        Figure("judge_against_rule", "Against the rule, by subject", caption, panels, [], sources) if panels else None
    )


def _difference_title(data: ReportData, arm: str, versus: str) -> str:
    one, other = data.settings[arm][0], data.settings[versus][0]
    rest = ", ".join(part for part in (pretty(one.entropy), data.look.context(one)) if part)
    return f"{pretty(one.reward)} less {pretty(other.reward)}: {rest}"


def difference_table(data: ReportData) -> Table | None:
    """All paired differences."""
    cells = []
    for row in data.tables["differences"]:
        names = [data.label(row["arm"]), data.label(row["versus"]), row["benchmark"], row["subject"], row["grader"]]
        cells.append([*names, triple(row), row["seeds"], row["questions"], row["method"]])
    columns = [Column(name) for name in ("arm", "against", "benchmark", "subject", "grader")]
    columns += [Column("difference, points", "share_interval"), Column("seeds", "int"), Column("questions", "int")]
    columns += [Column("interval")]
    caption = "Paired differences in accuracy of arms that differ in the reward or in the entropy setting alone."
    sources = data.origins("comparison")
    return (
        Table("differences", "All paired differences", caption, columns, cells, sources, folded=True) if cells else None
    )


def pass_at_k_figure(data: ReportData) -> Figure | None:
    """pass@k of every setting, one panel per benchmark and context, the untrained policies in all of them."""
    rows = [row for row in data.tables["pass_at_k"] if row["subject"] == ALL]
    panels, styles = [], {}
    for benchmark in sorted({row["benchmark"] for row in rows}):
        for title, names in data.contexts().items():
            here = [r for r in rows if r["benchmark"] == benchmark and (r["arm"] in names or not r["policy"])]
            series = [_pass_series(data, arm, here) for arm in dict.fromkeys(row["arm"] for row in here)]
            styles |= {one.style: None for one in series}
            heading = f"{benchmark} ({title})" if title else benchmark
            drawing = pass_at_k(series, f"pass@k on {heading}")
            panels.append((file_name("pass_at_k", benchmark, title), heading, drawing))
    caption = (
        "Chance that one of k samples is right. Where the untrained policy overtakes at large k, training has narrowed "
        "what the policy can still find."
    )
    legend: list[Style] = list(styles)
    sources = data.origins("comparison")
    return Figure("pass_at_k", "pass@k", caption, panels, legend, sources) if panels else None


def _pass_series(data: ReportData, arm: str, rows: list[dict]) -> Series:
    found = sorted((row["k"], *triple(row)) for row in rows if row["arm"] == arm)
    k, y, low, high = (np.array(column, dtype=float) for column in zip(*found, strict=True))
    return Series(setting_style(data, arm, short=True), k, 100 * y, 100 * low, 100 * high)
