"""Tables of the judge's audit on what may go wrong: the gate's thresholds, content-free answers, other words."""

from workflow_scripts.analysis.intervals import over_seeds
from workflow_scripts.analysis.report.blocks import Column, Table
from workflow_scripts.analysis.report.data import ReportData

SHELF = "shelf:"
NAMES = {
    "base": "judge before distillation",
    "distilled": "judge after distillation",
    "constant": "constant answer",
    "string": "string match",
    "contains": "containment rule",
    "rule": "normalising rule",
    "second": "second rater",
}


def label(judge: str) -> str:
    """A rater as the reader knows it."""
    if judge.startswith(SHELF):
        return f"{judge.removeprefix(SHELF)}, off the shelf"
    return NAMES.get(judge, judge)


def rows_of(data: ReportData, name: str, table: str) -> list[dict]:
    """Rows of one judge's audits over its seeds."""
    found = sorted(key for key in data.audits if key[0] == name)
    return [{**row, "seed": key[1]} for key in found for row in data.audits[key][table]]


def sources(data: ReportData, name: str) -> list[str]:
    return [data.origin(f"audit:{judge}.s{seed}") for judge, seed in sorted(data.audits) if judge == name]


def judges_of(rows: list[dict]) -> list[str]:
    """Order of appearance: the audit lists the models first, then what they are compared with."""
    return list(dict.fromkeys(row["judge"] for row in rows))


def gate_table(data: ReportData, name: str) -> Table | None:
    """What was asked of the judge, and what it reached, per seed."""
    rows = rows_of(data, name, "gate")
    cells = [
        [f"s{row['seed']}", row["threshold"], row["value"], f"{row['bound']} {row['limit']:g}"]
        + ["passed" if row["passed"] else "missed", row["n"]]
        for row in rows
    ]
    columns = [Column("seed"), Column("threshold", "code"), Column("measured", "number"), Column("asked for")]
    columns += [Column("gate"), Column("behind it", "int")]
    missed = sorted({row["seed"] for row in rows if not row["passed"]})
    caption = (
        "No policy trains on a judge that missed one of these thresholds of the config. Agreement and calibration are "
        "with the teacher unless the name says otherwise, false positives those on the worst probe that reaches it. "
    )
    caption += f"Missed by seed {', '.join(map(str, missed))}." if missed else "All were reached."
    return Table(f"gate_{name}", "The gate", caption, columns, cells, sources(data, name)) if cells else None


def probe_table(data: ReportData, name: str) -> Table | None:
    """Acceptance of empty and content-free answers."""
    rows = [row for row in rows_of(data, name, "probes") if row["subject"] == "all"]
    if not rows:
        return None
    judges = judges_of(rows)
    cells = []
    for probe in dict.fromkeys(row["probe"] for row in rows):
        found = [[r["false_positive_rate"] for r in rows if (r["probe"], r["judge"]) == (probe, j)] for j in judges]
        cells.append([repr(probe), *(over_seeds(values).value for values in found)])
    columns = [Column("answer", "code"), *(Column(f"{label(judge)}, %", "share") for judge in judges)]
    caption = (
        "Share of questions for which an empty or content-free answer is accepted, mean over seeds; the first ten are "
        "the master keys of 2507.08794. Anything above zero is a reward that a policy can learn to collect without "
        "solving anything. Averaged over its data sets and keys that paper reports 1.1 % for RM-7B and 66.8 % for "
        "Qwen2.5-72B, at worst 11.5 % and 90.9 %. What has no letter, digit or symbol is refused unasked in training."
    )
    title = "False positives on content-free answers"
    return Table(f"probes_{name}", title, caption, columns, cells, sources(data, name))


def wording_table(data: ReportData, name: str) -> Table | None:
    """Verdicts that hang on the wording."""
    rows = rows_of(data, name, "wording")
    judges = judges_of(rows)
    cells = []
    for kind, variant in dict.fromkeys((row["kind"], row["variant"]) for row in rows):
        found = [[r for r in rows if (r["variant"], r["judge"]) == (variant, judge)] for judge in judges]
        flipped = [over_seeds([r["flipped"] for r in one]).value if one else None for one in found]
        after = [r for r in rows if (r["variant"], r["judge"]) == (variant, "distilled")]
        turned = [over_seeds([r[column] for r in after]).value if after else None for column in ("lost", "gained")]
        cells.append([kind, variant, *flipped, *turned, sum(r["n"] for r in after), sum(r["unread"] for r in after)])
    columns = [Column("changed"), Column("to"), *(Column(f"{label(judge)}, %", "share") for judge in judges)]
    columns += [Column("accepted no more, %", "share"), Column("newly accepted, %", "share")]
    columns += [Column("answers", "int"), Column("too long", "int")]
    caption = (
        "Share of the verdicts that change when the same answer is moved, padded or put in another language, which "
        "changes nothing about its being right; mean over seeds. The last columns are the distilled judge's: of the "
        "answers it accepted and rejected, and how many it read."
    )
    title = "Verdicts that hang on the wording"
    return Table(f"wording_{name}", title, caption, columns, cells, sources(data, name)) if cells else None
