"""What the papers print: config/published.yaml, its form, and the checks that refuse a file that could not be shown.

A table has rows and columns as in the paper. `measure` says what of a run stands in the same place: options of a kind
of `analysis/report/measured.py`, laid over one another from table, row and column. `arm` selects the arms in the same
way, by the names of config/paper.yaml; `equivalents` names the settings of another scale that mean the same.
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

Field = Literal["policy", "data", "algorithm", "reward", "entropy", "study"]
Unit = Literal[
    "percent",
    "share",
    "nats",
    "kappa",
    "covariance",
    "correlation",
    "ratio",
    "tokens",
    "words",
    "rows",
    "number",
    "setting",
]
Status = Literal["printed", "read_off", "inferred", "quoted", "unverified"]

# options that each kind of measure needs
NEEDED = {
    "accuracy": {"benchmark"},
    "entropy_ratio": {"quantity"},
    "spent_early": {"of", "share"},
    "early_error": {"at", "early_share"},
    "law": {"of"},
    "training": {"column", "at"},
    "validation": {"column", "at"},
    "audit": {"judge", "versus", "metric"},
    "votes": {"votes", "versus"},
    "probes": {"judge", "over"},
    "references": {"data", "of"},
    "rows": {"dataset", "counts"},
}


class _Strict(BaseModel):
    """Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Strict):
    """A column of the paper; `also`: a column of ours, where a scale has other benchmarks than the paper."""

    name: str
    arm: dict[Field, str] = {}
    measure: dict[str, Any] = {}
    unit: Unit | None = None
    also: bool = False


class Row(_Strict):
    """A row of the paper. `values`: one per column, null where the paper has none; no values: none is published.

    `baseline`: the model that stands for the row as it is, or one per training data of the columns.
    """

    name: str
    values: list[float | None] = []
    arm: dict[Field, str] = {}
    baseline: str | dict[str, str] | None = None
    measure: dict[str, Any] = {}
    status: Status | None = None
    note: str = ""


class PublishedTable(_Strict):
    """A table or figure of a paper. `studies`: those that measure it; `weights`: rows of each column in its average."""

    id: str
    title: str
    source: str
    status: Status
    studies: list[str] = []
    unit: Unit
    measure: dict[str, Any] = {}
    arm: dict[Field, str] = {}
    columns: list[Column]
    weights: dict[str, int] = {}
    rows: list[Row]
    note: str = ""

    @field_validator("columns", mode="before")
    @classmethod
    def _named(cls, columns: list) -> list:
        return [{"name": column} if isinstance(column, str) else column for column in columns]

    @property
    def printed_columns(self) -> list[Column]:
        return [column for column in self.columns if not column.also]

    def measure_of(self, row: Row, column: Column) -> dict[str, Any]:
        """The options of a cell; empty where nothing of a run stands in its place."""
        options = self.measure | row.measure | column.measure
        return options if "kind" in options else {}

    def baseline_of(self, row: Row, column: Column) -> str | None:
        """The model that no RL changed and that stands in a cell; empty where the row has one for other data only."""
        if isinstance(row.baseline, dict):
            return row.baseline.get(self.arm_of(row, column).get("data", ""), "")
        return row.baseline

    def arm_of(self, row: Row, column: Column) -> dict[str, str]:
        """The selectors of a cell's arms."""
        return self.arm | row.arm | column.arm

    @model_validator(mode="after")
    def _consistent(self) -> "PublishedTable":
        for problem in self._problems():
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        yield from _doubles([row.name for row in self.rows], "row")
        yield from _doubles([column.name for column in self.columns], "column")
        printed = self.printed_columns
        for row in self.rows:
            if row.values and len(row.values) != len(printed):
                yield f"row {row.name!r}: {len(row.values)} values for {len(printed)} columns"
            status = row.status or self.status
            if (status == "unverified") == any(value is not None for value in row.values):
                yield f"row {row.name!r}: {status}, with{'' if row.values else 'out'} values"
            for column in self.columns:
                yield from _measure_problems(self.measure_of(row, column), f"row {row.name!r}, column {column.name!r}")
        if unknown := set(self.weights) - {column.name for column in printed}:
            yield f"weights: no columns {', '.join(sorted(unknown))}"


def _doubles(names: list[str], what: str) -> Iterator[str]:
    yield from (f"{what} {name!r} is named twice" for name in sorted({n for n in names if names.count(n) > 1}))


def _measure_problems(options: dict[str, Any], where: str) -> Iterator[str]:
    kind = options.get("kind")
    if options and kind not in NEEDED:
        yield f"{where}: measure.kind: {kind!r} is not one of {', '.join(sorted(NEEDED))}"
    elif options and (lacking := NEEDED[kind] - set(options)):
        yield f"{where}: {kind} needs {', '.join(sorted(lacking))}"


class Left(_Strict):
    """Something of the papers that is not reproduced, or that could not be tied to a source, and what follows."""

    what: str
    source: str
    reason: str


class Published(_Strict):
    """The file. `equivalents`: scale -> field of an arm -> name in paper.yaml -> names that mean the same there."""

    papers: dict[str, str]
    equivalents: dict[str, dict[Field, dict[str, list[str]]]] = {}
    tables: list[PublishedTable]
    not_reproduced: list[Left] = []
    unverified: list[Left] = []

    @model_validator(mode="after")
    def _consistent(self) -> "Published":
        for problem in _doubles([table.id for table in self.tables], "tables: id"):
            raise ValueError(problem)
        for entry in [*self.tables, *self.not_reproduced, *self.unverified]:
            if entry.source.partition(",")[0] not in self.papers:
                raise ValueError(f"source: {entry.source!r} does not begin with one of {', '.join(self.papers)}")
        return self

    def cite(self, source: str) -> str:
        """`E, Table 2` with the paper's own name in place of its letter."""
        paper, _, place = source.partition(",")
        return f"{self.papers[paper]},{place}" if place else self.papers[paper]


def read_published(raw: dict | None) -> Published | None:
    """The checked file; None where there is none. Raises ValueError, one line that names the place."""
    if not raw:
        return None
    try:
        return Published.model_validate(raw)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ValueError(f"published.{_place(problem['loc'], raw)}: {_message(problem)}") from None


def _place(location: tuple, raw: Any) -> str:
    """The path in the YAML, with the id or name of a table, row or column in place of its number."""
    parts = []
    for part in location:
        raw = raw[part] if isinstance(raw, dict) and part in raw or isinstance(raw, list) and part < len(raw) else None
        named = raw if isinstance(raw, dict) and isinstance(part, int) else {}
        parts.append(str(named.get("id") or named.get("name") or named.get("what") or part))
    return ".".join(parts) or "yaml"


def _message(problem: dict) -> str:
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    if problem["type"] in ("missing", "extra_forbidden"):
        return "required, but missing" if problem["type"] == "missing" else "unknown key"
    return f"{str(problem['input'])[:40]!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
