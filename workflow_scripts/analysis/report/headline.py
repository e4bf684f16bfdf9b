"""Accuracy by reward and entropy setting, and entropy on the plateau, over all arms."""

from math import isfinite

from workflow_scripts.analysis.curves import plateau
from workflow_scripts.analysis.grades import DECIDING
from workflow_scripts.analysis.intervals import Estimate, over_seeds
from workflow_scripts.analysis.report.blocks import Column, Figure, Section, Table
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.style import pretty
from workflow_scripts.analysis.svg import Style


def triple(row: dict) -> tuple[float, float, float]:
    """Value and interval of a row, as a cell."""
    return row["value"], row["low"], row["high"]


def file_name(*parts: str) -> str:
    """The parts that are not empty, joined to the name of a file."""
    joined = "_".join(part for part in parts if part)
    return "".join(char if char.isalnum() or char in "-_" else "_" for char in joined)


def cell(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def section(data: ReportData) -> Section:
    """Accuracies and entropies of all arms."""
    intro = "All arms of the run at once; a study's section shows its own."
    blocks = [*accuracy_tables(data), accuracy_figure(data), entropy_table(data)]
    return Section("results", "All arms", intro, [block for block in blocks if block])


def main_rows(data: ReportData, table: str = "comparison") -> list[dict]:
    """Rows by the grader that decides: the truth, or the first where a benchmark has none."""
    rows = data.tables[table]
    graders = {name: {row["grader"] for row in rows if row["benchmark"] == name} for name in benchmarks_of(rows)}
    deciding = {name: next(grader for grader in DECIDING if grader in found) for name, found in graders.items()}
    return [row for row in rows if row["grader"] == deciding[row["benchmark"]]]


def benchmarks_of(rows: list[dict]) -> list[str]:
    return sorted({row["benchmark"] for row in rows})


def accuracy_tables(data: ReportData) -> list[Table]:
    """One table per benchmark and context: rewards down, entropy settings across."""
    tables = []
    rows = main_rows(data)
    for benchmark in benchmarks_of(rows):
        for title, names in data.contexts().items():
            found = {row["arm"]: row for row in rows if row["benchmark"] == benchmark}
            table = _accuracy_table(data, benchmark, title, [found[name] for name in names if name in found])
            tables += [table] if table else []
    return tables


def _accuracy_table(data: ReportData, benchmark: str, title: str, rows: list[dict]) -> Table | None:
    if not rows:
        return None
    rewards = _ordered({row["reward"] for row in rows}, data.look.hues)
    entropies = _ordered({row["entropy"] for row in rows}, data.look.dashes)
    by_name = {(row["reward"], row["entropy"]): row for row in rows}
    columns = [Column("reward")] + [Column(f"{pretty(name)}, %", "share_interval") for name in entropies]
    cells: list[list] = []
    for base in (r for r in main_rows(data) if r["benchmark"] == benchmark and r["reward"] == "untrained"):
        cells.append([setting_style(data, base["arm"]).label, triple(base)] + [None] * (len(entropies) - 1))
    for reward in rewards:
        found = [by_name.get((reward, name)) for name in entropies]
        cells.append([pretty(reward), *(triple(row) if row else None for row in found)])
    grader, methods = rows[0]["grader"], sorted({row["method"] for row in rows})
    where = f" ({title})" if title else ""
    caption = (
        f"Share of sampled answers that are right (avg@k) on {benchmark}, graded by the {grader}, by reward and "
        f"entropy setting, with 95 % intervals: {'; '.join(methods)}; {max(row['questions'] for row in rows)} "
        "questions."
    )
    name = file_name("accuracy", benchmark, title)
    return Table(name, f"Accuracy on {benchmark}{where}", caption, columns, cells, data.origins("comparison"))


def _ordered(names: set[str], order: dict) -> list[str]:
    known = list(order)
    return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))


def accuracy_figure(data: ReportData) -> Figure | None:
    """All settings as dots with intervals, one panel per benchmark."""
    from workflow_scripts.analysis.plots import Dot, dots

    panels, rows = [], main_rows(data)
    for benchmark in benchmarks_of(rows):
        for title, names in data.contexts().items():
            groups = []
            shown_here = [r for r in rows if r["benchmark"] == benchmark and (r["arm"] in names or not r["policy"])]
            for row in shown_here:
                style = setting_style(data, row["arm"], short=True)
                groups.append((style.label, [Dot(style, *(100 * v for v in triple(row)))]))
            heading = f"{benchmark} ({title})" if title else benchmark
            svg = dots(groups, "accuracy (%)", f"Accuracy on {heading}", left=150.0)
            panels.append((file_name("accuracy", benchmark, title), heading, svg))
    caption = (
        "Accuracy of every setting with its 95 % interval. Filled: no entropy control; hollow: an entropy control."
    )
    return (
        Figure("accuracy", "Accuracy at a glance", caption, panels, [], data.origins("comparison")) if panels else None
    )


def setting_style(data: ReportData, setting: str, short: bool = False) -> Style:
    """The style of a setting, or of a model as it is, by its name."""
    arm = next((arm for arm in data.arms + data.baselines if arm.setting == setting), None)
    return data.look.style(arm, short) if arm else Style(0, "", setting)


def entropy_table(data: ReportData) -> Table | None:
    """Entropy, accuracy and length on the plateau, with the ratios to the arm without control."""
    ratios = {(r["arm"], r["quantity"]): r for r in data.tables["entropy_at_equal_accuracy"] if r["seed"] is None}
    rows = []
    for setting, arms in data.settings.items():
        ends = [plateau(data.curves[arm.role]) for arm in arms if arm.role in data.curves]
        if not ends:
            continue
        row: list = [data.look.label(arms[0])]
        row += [cell(over_seeds([getattr(end, name) for end in ends])) for name in ("entropy", "accuracy", "length")]
        row.append(over_seeds([end.drift for end in ends]).value)
        for quantity in ("entropy ratio on the plateau", "entropy ratio at equal accuracy"):
            found = ratios.get((setting, quantity))
            row.append(triple(found) if found and isfinite(found["value"]) else None)
        rows.append(row)
    if not rows:
        return None
    columns = [
        Column("arm"),
        Column("entropy, nats", "number_interval"),
        Column("accuracy, %", "share_interval"),
        Column("length, tokens", "number_interval"),
        Column("drift, %", "share", "change of accuracy from the quarter before; near 0 on a plateau"),
        Column("entropy ÷ no control, plateau", "number_interval"),
        Column("entropy ÷ no control, equal accuracy", "number_interval"),
    ]
    caption = (
        "Means over the last quarter of the steps on the fixed validation prompts. An arm that learns slowly has more "
        "entropy for that reason alone; the last column compares arms at the accuracies that both reach (geometric "
        "mean over that range), and is the fair one. The drift tells whether an arm had plateaued."
    )
    return Table("plateau", "Entropy on the plateau", caption, columns, rows, data.origins("policy"))
