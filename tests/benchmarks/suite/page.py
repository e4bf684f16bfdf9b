"""The page: every comparison's newest row, in the look of the report; self-contained, nothing is loaded or run."""

import math
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from workflow_scripts.analysis.report.page import TEMPLATES
from workflow_scripts.analysis.svg import DARK_CSS, LIGHT_CSS

PAGE = "bench.html"
WIDTH = 220  # of a range's drawing, px
MET = {True: ("good", "met"), False: ("bad", "missed"), None: ("none", "")}


def render(rows: list[dict[str, Any]], docs: dict[str, str]) -> str:
    """HTML of the table's `rows`, grouped by case module; `docs`: the modules' docstrings by name."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    css = (TEMPLATES / "page.css").read_text().replace("/*light*/", LIGHT_CSS).replace("/*dark*/", DARK_CSS)
    ordered = sorted(rows, key=lambda row: row["module"])
    top = max((row["high"] for row in rows if row["high"]), default=1.0)
    bottom = min((row["low"] for row in rows if row["low"]), default=1.0)
    return environment.get_template("page.html").render(
        css=Markup(css),
        sections=[(name, docs.get(name, ""), list(found)) for name, found in groupby(ordered, lambda r: r["module"])],
        runs=sorted({(row["date"], row["commit"], row["machine"], row["versions"]) for row in rows}, reverse=True),
        targets=[row for row in rows if row["target"] is not None or row["peak_target"] is not None],
        badge=lambda row: MET[row["met"]],
        drawn=lambda row: drawn(row, min(bottom, 1.0), max(top, 1.0)),
        amount=amount,
    )


def amount(values: list[float], unit: str) -> str:
    """The median of `values` in readable units; empty where nothing was measured."""
    if not values:
        return ""
    middle = median(values)
    if unit == "s" and middle < 1:
        return f"{middle * 1000:.3g} ms"
    return f"{middle:.3g} {unit}"


def drawn(row: dict[str, Any], bottom: float, top: float) -> Markup:
    """Range and median of the ratios, on a logarithmic axis from `bottom` to `top`; lines at 1 and at the target."""
    if row["median"] is None:
        return Markup("")

    def place(ratio: float) -> float:
        span = math.log(top / bottom) or 1.0
        return 4 + (WIDTH - 8) * math.log(min(max(ratio, bottom), top) / bottom) / span

    def upright(kind: str, ratio: float) -> str:
        return f'<line class="{kind}" x1="{place(ratio):.1f}" x2="{place(ratio):.1f}" y1="1" y2="19"/>'

    low, middle, high = (place(row[name]) for name in ("low", "median", "high"))
    goal = "" if row["target"] is None else upright("goal", row["target"])
    span = f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="10" y2="10"/>'
    dot = f'<circle class="middle" cx="{middle:.1f}" cy="10" r="4"/>'
    return Markup(f'<svg width="{WIDTH}" height="20" aria-hidden="true">{upright("one", 1)}{goal}{span}{dot}</svg>')
