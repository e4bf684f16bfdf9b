"""Majority votes over the samples of a question, and how many answers are cut or missing."""

from workflow_scripts.analysis.grades import ALL
from workflow_scripts.analysis.report.blocks import Column, Table
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import triple

_RATE_NAMES = {"truncated": "truncated", "no_answer": "no answer"}


def blocks(data: ReportData) -> list:
    return [majority_table(data), rate_table(data)]


def majority_table(data: ReportData) -> Table | None:
    """One row per setting and benchmark: maj@k across, beside pass@k at the largest k."""
    rows = [row for row in data.tables["maj_at_k"] if row["subject"] == ALL]
    ks = sorted({row["k"] for row in rows})
    found = {(row["arm"], row["benchmark"], row["k"]): row for row in rows}
    whole = [row for row in data.tables["pass_at_k"] if row["subject"] == ALL]
    passed = {(row["arm"], row["benchmark"], row["k"]): row for row in whole}
    cells = []
    for arm, benchmark in dict.fromkeys((row["arm"], row["benchmark"]) for row in rows):
        here = [found.get((arm, benchmark, k)) for k in ks]
        largest = max(k for k in ks if (arm, benchmark, k) in found)
        figures = [triple(row) if row else None for row in here]
        best = passed.get((arm, benchmark, largest))
        label, seeds = data.label(arm), next(row["seeds"] for row in here if row)
        cells.append([label, benchmark, *figures, triple(best) if best else None, seeds])
    columns = [Column("arm"), Column("benchmark"), *(Column(f"maj@{k}, %", "share_interval") for k in ks)]
    columns += [Column("pass at the largest k, %", "share_interval"), Column("seeds", "int")]
    caption = (
        "Chance that the commonest of k answers is right: the exact mean over all draws of k of the samples, ties "
        "shared evenly. Answers are the same where the rule's normal form of their last line (or box) is. Between the "
        "average (maj@1) and pass@k: what voting can use of what the samples hold. Intervals as for the accuracies."
    )
    title, sources = "Majority votes (maj@k)", data.origins("comparison")
    return Table("maj_at_k", title, caption, columns, cells, sources) if any(k > 1 for k in ks) else None


def rate_table(data: ReportData) -> Table | None:
    """One row per setting and benchmark: shares of truncated answers and of responses without one."""
    rows = data.tables["answer_rates"]
    rates = list(dict.fromkeys(row["rate"] for row in rows))
    found = {(row["arm"], row["benchmark"], row["rate"]): row for row in rows}
    cells = []
    for arm, benchmark in dict.fromkeys((row["arm"], row["benchmark"]) for row in rows):
        here = [found.get((arm, benchmark, rate)) for rate in rates]
        some = next(row for row in here if row)
        figures = [triple(row) if row else None for row in here]
        cells.append([data.label(arm), benchmark, *figures, some["seeds"], some["questions"]])
    columns = [Column("arm"), Column("benchmark")]
    columns += [Column(f"{_RATE_NAMES[rate]}, %", "share_interval") for rate in rates]
    columns += [Column("seeds", "int"), Column("questions", "int")]
    caption = (
        "Truncated: cut by the length limit. No answer: the form of answer that the prompt asks for stands nowhere in "
        "the response. Both are graded wrong, whatever the policy knew. A rate that is the same in every response has "
        "no interval."
    )
    title, sources = "Truncated and missing answers", data.origins("comparison")
    return Table("answer_rates", title, caption, columns, cells, sources) if cells else None
