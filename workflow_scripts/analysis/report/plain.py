"""headline.txt: what the run found, for a terminal."""

from workflow_scripts.analysis.claims import UNTESTABLE
from workflow_scripts.analysis.report.blocks import Column, Table, shown
from workflow_scripts.analysis.report.claims_section import ordered, summary
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import accuracy_tables, entropy_table, triple


def plain_text(data: ReportData) -> str:
    """headline.txt: verdicts, accuracies and entropies for a terminal."""
    rows = ordered(data.tables["claims"])
    claims = [
        [row["verdict"], triple(row), row["rule"] if row["verdict"] != UNTESTABLE else row["reason"], row["text"]]
        for row in rows
    ]
    columns = [Column("verdict"), Column("measured", "number_interval"), Column("true if, or why not"), Column("claim")]
    verdicts = [Table("claims", "Claims", "", columns, claims)] if claims else []
    results = [*accuracy_tables(data), *filter(None, [entropy_table(data)])]
    lines = [data.config.get("title") or "Results", summary(data)]
    for table in verdicts + results if _testable(data) else results + verdicts:
        lines += ["", table.title, *_aligned(table)]
    return "\n".join(lines) + "\n"


def _testable(data: ReportData) -> bool:
    """Whether any claim got a verdict; else the accuracies come first."""
    return any(row["verdict"] != UNTESTABLE for row in data.tables["claims"])


def _aligned(table: Table) -> list[str]:
    texts = [[column.label for column in table.columns]]
    texts += [[shown(v, c.format) for v, c in zip(row, table.columns, strict=True)] for row in table.rows]
    widths = [max(len(row[i]) for row in texts) for i in range(len(table.columns))]
    return [
        "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in texts
    ]
