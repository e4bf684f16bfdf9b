"""The claims first: verdict, what was measured against what would be true, and the artifacts behind it."""

from math import isfinite

from workflow_scripts.analysis.arms import FIELDS, Arm, pairs
from workflow_scripts.analysis.claims import FAILS, HOLDS, UNTESTABLE, VERDICTS, region
from workflow_scripts.analysis.plots import interval_bar
from workflow_scripts.analysis.report.blocks import Claim, Claims, Column, Section, Table, shown
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import triple
from workflow_scripts.analysis.svg import Style

PAPERS = ("E", "R")  # how a source begins; whatever else is ours
_OWN_OPTIONS = {"kind", "where"}


def section(data: ReportData) -> Section | None:
    """All claims in the order of the verdicts, then of the file."""
    rows = ordered(data.tables["claims"])
    if not rows:
        return None
    quantities = {claim["id"]: claim for claim in (data.config.get("claims") or {}).get("claims", [])}
    claims = [_claim(data, row, quantities.get(row["id"], {})) for row in rows]
    caption = (
        "Each claim was given its rule before the run. The whole 95 % interval inside the region: holds; outside: does "
        "not hold; across the border: undecided; fewer seeds or questions than the rule asks for: not testable here. "
        "E is arXiv 2505.22617, R is arXiv 2503.23829. Accuracies and differences are shares of 1."
    )
    block = Claims("Which claims hold here", caption, claims, claims_table(data))
    return Section("claims", "Claims", summary(data), [block])


def ordered(rows: list[dict]) -> list[dict]:
    """What was tested before what was not."""
    return sorted(rows, key=lambda row: row["verdict"] == UNTESTABLE)


def summary(data: ReportData) -> str:
    """The verdicts in one sentence, and what the intervals can say at this number of seeds."""
    verdicts = [row["verdict"] for row in data.tables["claims"]]
    counts = [_counted(verdicts.count(name), name) for name in VERDICTS if name in verdicts]
    text = f"Of {len(verdicts)} claims: {', '.join(counts)}. " if verdicts else ""
    if len(data.seeds) == 1:
        return text + (
            "This run has one seed: intervals hold the draw of the questions alone, not that of the training run, and "
            "claims about training are not testable."
        )
    return text + f"Intervals are 95 % over {len(data.seeds)} seeds, and over questions where all seeds share them."


def _counted(count: int, verdict: str) -> str:
    plural = verdict if count == 1 else {HOLDS: "hold", FAILS: "do not hold"}.get(verdict, verdict)
    return f"{count} {plural}"


def claims_table(data: ReportData) -> Table:
    """The claims as rows, for the file."""
    columns = [Column("id"), Column("claim"), Column("verdict", "verdict"), Column("measured", "number_interval")]
    columns += [Column("true if"), Column("why"), Column("published"), Column("seeds", "int")]
    columns += [Column("questions", "int"), Column("interval"), Column("source")]
    names = ("rule", "reason", "published", "seeds", "questions", "method", "source")
    rows = [
        [row["id"], row["text"], row["verdict"], triple(row), *(row[name] for name in names)]
        for row in ordered(data.tables["claims"])
    ]
    return Table("claims", "Claims", "", columns, rows, data.origins("comparison"))


def _claim(data: ReportData, row: dict, claim: dict) -> Claim:
    measured, quantity = triple(row), claim.get("quantity", {})
    bar = ""
    if claim and isfinite(row["value"]):
        title = f"{row['text']}: measured {shown(measured, 'number_interval')}, true if {row['rule']}"
        bar = interval_bar(measured, row["by_seed"], region(claim["rule"]), Style(2, "", "measured"), title)
    facts = [("quantity", _quantity(row["kind"], quantity)), ("true if", row["rule"]), ("why", row["reason"])]
    if row["by_seed"]:
        facts.append(("by seed", ", ".join(shown(value, "number") for value in row["by_seed"])))
    counts = f"seeds: {row['seeds']}" + (f", questions: {row['questions']}" if row["questions"] else "")
    facts += [("interval", f"{row['method']}; {counts}"), ("published", row["published"]), ("source", row["source"])]
    paper = next((name for name in PAPERS if row["source"].startswith(f"{name},")), "ours")
    source = [*data.origins("comparison"), *behind(data, quantity)]
    return Claim(row["id"], row["text"], row["verdict"], paper, measured, facts, bar, source)


def _quantity(kind: str, options: dict) -> str:
    """The quantity in words: what is measured, between which settings, on which arms."""
    parts = [kind.replace("_", " ")]
    if {"vary", "value", "versus"} <= set(options):
        parts.append(f"of {options['vary']} {_plain(options['value'])} against {options['versus']}")
    told = _OWN_OPTIONS | ({"vary", "value", "versus"} if "vary" in options else set())
    parts += [f"{name.replace('_', ' ')} {_plain(value)}" for name, value in options.items() if name not in told]
    parts += [f"where {name.replace('_', ' ')} is {_plain(v)}" for name, v in (options.get("where") or {}).items()]
    return ", ".join(parts)


def _plain(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def behind(data: ReportData, quantity: dict) -> list[str]:
    """The policies, graded answers and audits that a claim's quantity selects."""
    found = [role for arm in _arms(data, quantity) for role in (f"policy:{arm.role}", f"grades:{arm.role}")]
    if "judge" in quantity:
        found = sorted(role for role in data.inputs if role.startswith("audit:"))
    return [data.origin(role) for role in found if role in data.inputs]


def _arms(data: ReportData, quantity: dict) -> list[Arm]:
    where = quantity.get("where") or {}
    if quantity.get("vary") in FIELDS and {"value", "versus"} <= set(quantity):
        found = pairs(data.arms, quantity["vary"], quantity["value"], quantity["versus"], where)
        return [arm for pair in found for arm in pair]
    return [arm for arm in data.arms if arm.matches(where)] if "judge" not in quantity else []
