"""What a page is made of: sections of paragraphs, tables, figures and examples. Cells hold raw values and a format."""

import csv
import io
from dataclasses import dataclass, field
from math import isfinite

from workflow_scripts.analysis.svg import Style

DASH = "–"
Estimate3 = tuple[float, float, float]


@dataclass(frozen=True)
class Column:
    """A column; formats: text, code, share, number, int, seconds, verdict, share_interval, number_interval."""

    label: str
    format: str = "text"
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """A captioned table; `name` is its file under tables/, `source` the artifacts that it was made from."""

    name: str
    title: str
    caption: str
    columns: list[Column]
    rows: list[list]
    source: list[str] = field(default_factory=list)
    folded: bool = False
    stacked: bool = False  # on a phone every row becomes a card
    kind: str = "table"


@dataclass(frozen=True)
class Figure:
    """One or more panels that share a legend and a caption; panels are (name of the file, title, SVG)."""

    name: str
    title: str
    caption: str
    panels: list[tuple[str, str, str]]
    legend: list[Style]
    source: list[str] = field(default_factory=list)
    folded: bool = False
    kind: str = "figure"


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
    """A section of the page."""

    id: str
    title: str
    intro: str
    blocks: list[Table | Figure | Examples | Text]


def shown(value: object, kind: str) -> str:
    """A cell as the reader sees it; what is missing or not a number is a dash."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return DASH
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


def visible(text: str) -> str:
    """Model output as printable text: control characters, which a browser would drop or act on, become symbols."""
    kept = []
    for char in text:
        code = ord(char)
        if code < 32 and char not in "\n\t":
            kept.append(chr(0x2400 + code))
        elif code == 127 or 0x80 <= code < 0xA0 or 0x200B <= code <= 0x200F or 0x202A <= code <= 0x202E:
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
    return column.format.endswith("_interval")


def _csv_cell(value: object) -> object:
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    # A spreadsheet would run text that starts like a formula.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
