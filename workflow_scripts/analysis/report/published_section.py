"""What the papers print, in their own layout, with a line below each row for what the run measured in its place."""

from collections.abc import Iterator
from math import nan

from workflow_scripts.analysis.arms import by_setting
from workflow_scripts.analysis.intervals import Estimate
from workflow_scripts.analysis.published import Column as Place
from workflow_scripts.analysis.published import Published, PublishedTable, Row, read_published
from workflow_scripts.analysis.report.blocks import Column, Section, Table
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.matching import Matcher
from workflow_scripts.analysis.report.measured import measured

STATUS = {
    "printed": "published",
    "read_off": "published, ≈ read off a figure",
    "inferred": "inferred",
    "quoted": "published, as quoted by others",
    "unverified": "published, UNVERIFIED",
}
DIGITS = {"percent": 1, "nats": 2, "ratio": 1, "tokens": 0, "words": 1, "rows": 0}
MEANS = ("plain mean", "mean over rows")
Line = dict[str, Estimate]  # by name of the column


def section(data: ReportData, placed: tuple[str, ...] = ()) -> Section | None:
    """All published tables but those that stand with a study of `placed`, and what is not reproduced or unverified."""
    published = read_published(data.config.get("published"))
    if published is None:
        return None
    tables = [table_of(data, published, t) for t in published.tables if home(data, t) not in placed]
    tables.sort(key=lambda table: table.folded)
    intro = (
        "Every number that the two papers print, in their own layout, and below it what this run measured in the same "
        "place. What was read off a figure (≈), inferred by us, or tied to no source (UNVERIFIED) says so. Tables "
        "without a measured line are folded."
    )
    return Section("published", "Published beside measured", intro, [*tables, *_left(published)])


def tables_of(data: ReportData, study: str) -> list[Table]:
    """The published tables that stand with a study of the config."""
    published = read_published(data.config.get("published"))
    return [table_of(data, published, t) for t in published.tables if home(data, t) == study] if published else []


def printed_values(data: ReportData, name: str) -> Iterator[tuple[str, dict, float]]:
    """(row, options of its measure, value) of each number of a published table, percent as shares; none without it."""
    published = read_published(data.config.get("published"))
    for table in published.tables if published else ():
        for row in table.rows if table.id == name else ():
            for place, value in zip(table.printed_columns, row.values, strict=False):
                if value is not None:
                    yield row.name, table.measure_of(row, place), value / 100 if table.unit == "percent" else value


def home(data: ReportData, table: PublishedTable) -> str | None:
    """The first study of this run that measures the table."""
    return next((study for study in table.studies if study in (data.config.get("studies") or {})), None)


def table_of(data: ReportData, published: Published, table: PublishedTable) -> Table:
    """One published table with its measured lines; folded where there are none."""
    matcher = Matcher(data, published)
    lines = {row.name: dict(_lines(data, table, row, matcher)) for row in table.rows}
    found = [(name, estimate) for row in lines.values() for line in row.values() for name, estimate in line.items()]
    filled, methods = {name for name, _ in found}, sorted({estimate.method for _, estimate in found} - {""})
    places = [place for place in table.columns if not place.also or place.name in filled]
    cells: list[list] = []
    for row in table.rows:
        cells += _row_cells(table, row, lines[row.name], places)
    caption = _caption(published, table, methods, matcher.place)
    columns = [Column("row"), Column("line"), *(Column(*_head(table, place)) for place in places)]
    columns += [Column(f"{name}, %", "number_interval:2") for name in MEANS if table.weights]
    sources = sorted(set(_origins(data, table))) if filled else []
    return Table(f"published_{table.id}", table.title, caption, columns, cells, sources, folded=not filled)


def _origins(data: ReportData, table: PublishedTable) -> Iterator[str]:
    """The artifacts that the measured lines of a table may come from."""
    roles = {"accuracy": "comparison", "entropy_ratio": "comparison", "references": "data", "rows": "data"}
    roles |= dict.fromkeys(("audit", "votes", "probes"), "audit")
    for row in table.rows:
        for place in table.columns:
            if kind := table.measure_of(row, place).get("kind"):
                yield from data.origins(roles.get(kind, "policy"))


# ----------------------------------------------------------------------------------------- measured lines
def _lines(data: ReportData, table: PublishedTable, row: Row, matcher: Matcher) -> Iterator[tuple[str, Line]]:
    """The measured lines of a row: label -> estimates by column."""
    lines: dict[str, Line] = {}
    for place in table.columns:
        options, where = table.measure_of(row, place), table.arm_of(row, place)
        if not options:
            continue
        arms = matcher.arms(where, table.baseline_of(row, place))
        for name, estimate in measured(data, options, arms).items():
            label = matcher.label(arms, where, name) if name in by_setting(arms) else name
            lines.setdefault(label, {})[place.name] = estimate
    for label, line in lines.items():
        yield label, line | _means(table, {name: estimate.value for name, estimate in line.items()})


def _means(table: PublishedTable, values: dict[str, float]) -> Line:
    """Mean of the weighted columns, plain and by their rows, where all of them have a value (percent, or shares)."""
    if not table.weights or not set(table.weights) <= set(values):
        return {}
    weighted = sum(weight * values[name] for name, weight in table.weights.items()) / sum(table.weights.values())
    means = (sum(values[name] for name in table.weights) / len(table.weights), weighted)
    return {name: Estimate(mean, nan, nan, "", 0) for name, mean in zip(MEANS, means, strict=True)}


# ------------------------------------------------------------------------------------------------- cells
def _row_cells(table: PublishedTable, row: Row, lines: dict[str, Line], places: list[Place]) -> list[list]:
    """The published line of a row and the measured ones below it."""
    printed = {p.name: v for p, v in zip(table.printed_columns, row.values, strict=False) if v is not None}
    averages = [_means(table, printed).get(name) for name in MEANS if table.weights]
    line = STATUS[row.status or table.status] + (f": {row.note}" if row.note else "")
    values = [_printed(printed.get(place.name), place.unit or table.unit) for place in places]
    cells = [[row.name, line, *values, *((a.value, nan, nan) if a else None for a in averages)]]
    for label, found in lines.items():
        figures = [_scaled(found.get(place.name), place.unit or table.unit) for place in places]
        figures += [_scaled(found.get(name), table.unit) for name in MEANS if table.weights]
        cells.append([row.name, f"{_measured(found)}: {label}" if label else _measured(found), *figures])
    return cells


def _measured(line: Line) -> str:
    seeds = max(estimate.seeds for estimate in line.values())
    return f"measured, {seeds} seed{'s' * (seeds > 1)}"


def _printed(value: float | None, unit: str) -> tuple[float, float, float] | str | None:
    """A published value without an interval; settings of a training, of whatever size, as they are."""
    if value is None:
        return None
    return f"{value:.10g}" if unit == "setting" else (value, nan, nan)


def _scaled(estimate: Estimate | None, unit: str) -> tuple[float, float, float] | None:
    """An estimate in the unit of its column: shares become per cent."""
    if estimate is None:
        return None
    factor = 100 if unit == "percent" else 1
    return factor * estimate.value, factor * estimate.low, factor * estimate.high


def _head(table: PublishedTable, place: Place) -> tuple[str, str, str]:
    """Label with the unit, format with as many decimals as the paper prints, hint."""
    unit = place.unit or table.unit
    values = [row.values[table.printed_columns.index(place)] for row in table.rows if row.values and not place.also]
    printed = max((_decimals(value) for value in values if value is not None), default=0)
    sign = {"percent": ", %", "nats": ", nats", "tokens": ", tokens"}.get(unit, "")
    label = place.name if place.name.endswith("%") else place.name + sign
    hint = "a column of this run's own benchmarks; the paper has no such column" if place.also else ""
    return label, "text" if unit == "setting" else f"number_interval:{max(printed, DIGITS.get(unit, 3))}", hint


def _decimals(value: float) -> int:
    return len(f"{value:.6f}".rstrip("0").partition(".")[2])


def _caption(published: Published, table: PublishedTable, methods: list[str], place: str) -> str:
    parts = [published.cite(table.source) + ".", table.note]
    if table.weights:
        parts.append(
            "The last columns are means of the columns before, each weighted equally or by the rows of its benchmark."
        )
    if not methods:
        parts.append("Published, not measured here.")
    elif place:
        parts.append(f"Measured {place}: other models, data and benchmarks; only signs and orders can be compared.")
    if methods:
        parts.append(f"Intervals: {'; '.join(methods)}.")
    return " ".join(part for part in parts if part)


def _left(published: Published) -> Iterator[Table]:
    """What is not reproduced, and what could not be tied to a source."""
    lists = {
        "not_reproduced": ("Not reproduced", "Parts of the papers that this pipeline does not measure.", "why"),
        "unverified": ("UNVERIFIED", "What the papers leave open, and what was taken in its place.", "what holds here"),
    }
    for name, (title, caption, reason) in lists.items():
        cells = [[entry.what, published.cite(entry.source), entry.reason] for entry in getattr(published, name)]
        if cells:
            columns = [Column("what"), Column("where"), Column(reason)]
            yield Table(f"published_{name}", title, caption, columns, cells, stacked=True)
