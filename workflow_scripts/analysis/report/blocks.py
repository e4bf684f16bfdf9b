"""What a page is made of: sections of tables, figures, claims, equations, examples. Cells are values with a format."""

import csv
import io
from dataclasses import dataclass, field
from math import isfinite

from workflow_scripts.analysis.svg import Style

DASH = "–"
ROWS_SHOWN = 150  # of a table on the page; its file holds all
Estimate3 = tuple[float, float, float]


@dataclass(frozen=True)
class Column:
    """A column; formats: text, code, share, number, int, seconds, verdict, share_interval, number_interval, and with
    fixed decimals number_interval:3.
    """

    label: str
    format: str = "text"
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """A captioned table; `name` is its file under tables/, `source` the artifacts that it was made from.

    Unless it is `whole`, the page shows its first `ROWS_SHOWN` rows.
    """

    name: str
    title: str
    caption: str
    columns: list[Column]
    rows: list[list]
    source: list[str] = field(default_factory=list)
    folded: bool = False
    stacked: bool = False  # on a phone every row becomes a card
    whole: bool = False
    kind: str = "table"

    @property
    def shown(self) -> list[list]:
        return self.rows if self.whole else self.rows[:ROWS_SHOWN]


@dataclass(frozen=True)
class Figure:
    """One or more panels that share a legend and a caption; panels are (name of the file, title, SVG).

    `values` are the numbers behind the curves, unthinned: written as CSV under tables/, not printed on the page.
    """

    name: str
    title: str
    caption: str
    panels: list[tuple[str, str, str]]
    legend: list[Style]
    source: list[str] = field(default_factory=list)
    folded: bool = False
    values: list[Table] = field(default_factory=list)
    kind: str = "figure"


@dataclass(frozen=True)
class Claim:
    """A claim with its verdict; `facts` are (name, text) lines, `bar` the interval against the region, as SVG."""

    id: str
    text: str
    verdict: str
    paper: str
    measured: Estimate3
    facts: list[tuple[str, str]]
    bar: str
    source: list[str]


@dataclass(frozen=True)
class Claims:
    """All claims, to be filtered by verdict and paper; `table` is the same as CSV."""

    title: str
    caption: str
    claims: list[Claim]
    table: Table
    kind: str = "claims"


@dataclass(frozen=True)
class Equations:
    """Formulas: (name, MathML made by our own code, note) each."""

    title: str
    caption: str
    formulas: list[tuple[str, str, str]]
    kind: str = "equations"


@dataclass(frozen=True)
class Explorer:
    """A sample of answers to be searched: `data` is embedded as JSON; counts are (kind, on the page, in all)."""

    title: str
    caption: str
    data: dict
    counts: list[tuple[str, int, int]]
    source: list[str]
    kind: str = "explorer"


@dataclass(frozen=True)
class Example:
    """One response with its question, reference and verdicts (name -> bool, None or a number)."""

    subject: str
    question: str
    reference: str
    response: str
    verdicts: list[tuple[str, object]]
    policy: str
    origin: str


@dataclass(frozen=True)
class Examples:
    """Examples of one kind of disagreement, with how many there are in all."""

    title: str
    caption: str
    examples: list[Example]
    kind: str = "examples"


@dataclass(frozen=True)
class Text:
    """A paragraph, or preformatted text under a heading that folds."""

    text: str
    title: str = ""
    kind: str = "text"


@dataclass(frozen=True)
class Section:
    """A section of the page; one with a `group` unfolds below the group's heading."""

    id: str
    title: str
    intro: str
    blocks: list[Table | Figure | Claims | Equations | Examples | Explorer | Text]
    group: str = ""


def shown(value: object, kind: str) -> str:
    """A cell as the reader sees it; what is missing or not a number is a dash."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return DASH
    if kind.startswith("number_interval:"):
        return _interval(value, 1, int(kind.partition(":")[2]))
    if kind in ("share_interval", "number_interval"):
        return _interval(value, *((100, 1) if kind == "share_interval" else (1, _digits(value))))
    if kind == "share":
        return f"{100 * value:.1f}"
    if kind == "number":
        return f"{value:.{_digits((value,))}f}"
    if kind == "int":
        return f"{int(value):,}".replace(",", "\u202f")
    if kind == "seconds":
        return f"{value:.1f}"
    return visible(str(value))


def _interval(value: Estimate3, factor: float, digits: int) -> str:
    middle, low, high = (v * factor for v in value)
    if not isfinite(middle):
        return DASH
    if not (isfinite(low) and isfinite(high)):
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _digits(value: tuple[float, ...]) -> int:
    """Decimals that suit the largest part of an estimate."""
    largest = max((abs(v) for v in value if isfinite(v)), default=0.0)
    return 0 if largest >= 100 else 1 if largest >= 10 else 2 if largest >= 1 else 3


# DEL and C1 controls; zero-width and direction marks; line separators, overrides; isolates, joiners; byte order; halves
_SPANS = ((0x7F, 0x9F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0xD800, 0xDFFF))
_UNSEEN = tuple(range(low, high + 1) for low, high in _SPANS)


def visible(text: str) -> str:
    """Model output as printable text: control characters, which a browser would drop or act on, become symbols."""
    kept = []
    for char in text:
        code = ord(char)
        if code < 32 and char not in "\n\t":
            kept.append(chr(0x2400 + code))
        elif any(code in span for span in _UNSEEN):
            kept.append("\ufffd")
        else:
            kept.append(char)
    return "".join(kept)


def as_csv(table: Table) -> str:
    """The table's raw values; an interval becomes three columns."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    header = []
    for column in table.columns:
        header += [column.label, f"{column.label} low", f"{column.label} high"] if _wide(column) else [column.label]
    writer.writerow(header)
    for row in table.rows:
        cells = []
        for column, value in zip(table.columns, row, strict=True):
            cells += [_csv_cell(v) for v in (value or ("", "", ""))] if _wide(column) else [_csv_cell(value)]
        writer.writerow(cells)
    return file.getvalue()


def _wide(column: Column) -> bool:
    return column.format.partition(":")[0].endswith("_interval")


def _csv_cell(value: object) -> object:
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    # A spreadsheet would run text that starts like a formula.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
