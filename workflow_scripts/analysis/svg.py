"""A small SVG panel: axes with legible ticks, and marks whose colours follow the page (light or dark).

Drawn at phone width, so that text keeps its size on every screen. Colours are CSS classes `h0`..`h8`; a standalone
file carries the style sheet of `standalone`. Output is a pure function of the data: no dates, ids or random salt.

What a pointer asks a plot stands in it: `data-range` and `data-box` map values to the drawing, and each `<g
data-series>` lists its points (`data-x`, `data-y`, an interval `data-low` and `data-high`, and what else names them,
`data-t`). Where the x are those of the series before, "same" stands for them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, isfinite, log10

WIDTH, HEIGHT = 380.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 12.0, 40.0
HUES = 9
SAME = "same"  # in place of the x of a series: those of the series before

LIGHT = ("#6b7280", "#c2570c", "#1d5fbf", "#7c3fbf", "#12805c", "#b02a6b", "#8a6d00", "#0e7490", "#4d5b2a")
DARK = ("#9aa3af", "#f29a5b", "#7fb2ff", "#c3a0f5", "#5fd0a3", "#f08abb", "#dfc15a", "#63cfe3", "#b5c48a")


@dataclass(frozen=True)
class Style:
    """How one series looks everywhere: hue 0..8, SVG dash pattern ("" is solid), name in the legend."""

    hue: int
    dash: str
    label: str


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round tick values (1, 2 or 5 times a power of ten apart) inside [low, high]."""
    if not (isfinite(low) and isfinite(high)) or high <= low:
        return [low] if isfinite(low) else []
    raw = (high - low) / count
    power = 10.0 ** floor(log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first = ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, floor(high / step + 1e-9) + 1)]


def padded(values: list[float], share: float = 0.06, floor_at: float | None = None) -> tuple[float, float]:
    """The range of the finite values, widened on both sides; `floor_at` is a lower bound that it does not cross."""
    finite = [v for v in values if isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    margin = (high - low or abs(high) or 1.0) * share
    return (max(low - margin, floor_at) if floor_at is not None and low >= floor_at else low - margin), high + margin


def number(value: float) -> str:
    """A tick label without needless zeros."""
    return f"{value:.10g}"


@dataclass
class Panel:
    """One plot. x and y are data ranges; marks are drawn in the order of the calls."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    height: float = HEIGHT
    left: float = LEFT
    marks: list[str] = field(default_factory=list)
    x_ticks: dict[float, str] | None = None
    y_ticks: dict[float, str] | None = None
    hover: str = "x"  # what a pointer finds: the points at the nearest x, the nearest point (xy), the nearest row (row)
    t_name: str = ""  # of the values in data-t
    last_x: str = ""  # of the series before

    def px(self, value: float) -> float:
        return self.left + (value - self.x[0]) / (self.x[1] - self.x[0]) * (WIDTH - self.left - RIGHT)

    def py(self, value: float) -> float:
        return self.height - BOTTOM - (value - self.y[0]) / (self.y[1] - self.y[0]) * (self.height - TOP - BOTTOM)

    @contextmanager
    def series(self, style: Style, x, y, low=None, high=None, t=None) -> Iterator[None]:
        """Marks drawn within belong to one series; its points x, y (with an interval, and a name t) answer a hover."""
        points = {"x": x, "y": y, "low": low, "high": high, "t": t}
        lists = {name: _listed(values) for name, values in points.items() if values is not None}
        lists["x"], self.last_x = SAME if lists["x"] == self.last_x else lists["x"], lists["x"]
        data = " ".join(f'data-{name}="{values}"' for name, values in lists.items())
        self.marks.append(f'<g class="series h{style.hue}" data-series="{escape(style.label)}" {data}>')
        yield
        self.marks.append("</g>")

    def region(self, low: float, high: float) -> None:
        """A shaded range of x, over the height of the plot; its ends may lie outside."""
        left, right = (self.px(min(max(v, self.x[0]), self.x[1])) for v in (low, high))
        place = f'x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" height="{self.height - TOP - BOTTOM:.1f}"'
        self.marks.append(f'<rect class="region" {place}/>')

    def line(self, xs, ys, style: Style, css: str = "line") -> None:
        """A line through the finite points; `css` thin draws it faintly."""
        dash = f' stroke-dasharray="{style.dash}"' if style.dash else ""
        self.marks.append(f'<path class="{css} h{style.hue}" d="{self._path(xs, ys)}"{dash}/>')

    def band(self, xs, lows, highs, style: Style) -> None:
        """The area between two curves."""
        path = self._path([*xs, *reversed(xs)], [*highs, *reversed(lows)])
        self.marks.append(f'<path class="band h{style.hue}" d="{path and path + "z"}"/>')

    def _path(self, xs, ys) -> str:
        """Lines through the finite points: the first place, then steps, in tenths of a unit."""
        points = [(x, y) for x, y in zip(xs, ys, strict=True) if isfinite(x) and isfinite(y)]
        places = [(round(10 * self.px(x)), round(10 * self.py(y))) for x, y in points]
        steps = [(x - a, y - b) for (a, b), (x, y) in zip(places, places[1:], strict=False)]
        parts = [f"{x / 10:g} {y / 10:g}" for x, y in [*places[:1], *steps]]
        return f"M{parts[0]}l{' '.join(parts[1:])}" if len(parts) > 1 else ""

    def dot(self, x: float, y: float, style: Style, hollow: bool = False, radius: float = 3.2) -> None:
        if not (isfinite(x) and isfinite(y)):
            return
        css = "ring" if hollow else "dot"
        place = f'cx="{self.px(x):.1f}" cy="{self.py(y):.1f}" r="{radius}"'
        self.marks.append(f'<circle class="{css} h{style.hue}" {place}/>')

    def dots(self, xs, ys, style: Style) -> None:
        """Many filled dots as one mark: strokes of no length with round ends."""
        places = [(x, y) for x, y in zip(xs, ys, strict=True) if isfinite(x) and isfinite(y)]
        path = "".join(f"M{self.px(x):.1f} {self.py(y):.1f}h0" for x, y in places)
        self.marks.append(f'<path class="dots h{style.hue}" d="{path}"/>')

    def whisker(self, low: float, high: float, y: float, style: Style) -> None:
        """A horizontal interval."""
        if isfinite(low) and isfinite(high):
            self.marks.append(_segment(f"line h{style.hue}", self.px(low), self.px(high), self.py(y), self.py(y)))

    def rule(self, *, x: float | None = None, y: float | None = None) -> None:
        """A dashed reference line: vertical at x, or horizontal at y, across the plot."""
        x1, x2 = (self.px(x), self.px(x)) if x is not None else (self.left, WIDTH - RIGHT)
        y1, y2 = (self.py(y), self.py(y)) if y is not None else (TOP, self.height - BOTTOM)
        self.marks.append(_segment("rule", x1, x2, y1, y2))

    def render(self, title: str) -> str:
        """The SVG element, without a style sheet: the page brings it."""
        head = f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {self.height:.0f}" role="img" aria-label="{escape(title)}"'
        box = (self.left, WIDTH - RIGHT, TOP, self.height - BOTTOM)
        head += f' data-hover="{self.hover}" data-range="{_exact((*self.x, *self.y))}" data-box="{_exact(box)}"'
        names = "".join(
            f' data-{axis}-name="{escape(name)}"'
            for axis, name in (("x", self.x_label), ("y", self.y_label), ("t", self.t_name))
            if name
        )
        return "".join([head, names, ">", *self._axes(), *self.marks, "</svg>"])

    def _axes(self) -> list[str]:
        bottom, right, parts = self.height - BOTTOM, WIDTH - RIGHT, []
        for value, label in (_ticks(self.y) if self.y_ticks is None else self.y_ticks).items():
            y = self.py(value)
            parts.append(_segment("grid", self.left, right, y, y))
            parts.append(_text("tick", self.left - 6, y + 4, label, "end"))
        for value, label in (_ticks(self.x) if self.x_ticks is None else self.x_ticks).items():
            x = self.px(value)
            parts.append(_segment("axis", x, x, bottom, bottom + 4))
            parts.append(_text("tick", x, bottom + 16, label, "middle"))
        parts.append(_segment("axis", self.left, right, bottom, bottom))
        parts.append(_text("label", (self.left + right) / 2, self.height - 6, self.x_label, "middle"))
        if self.y_label:
            y = (TOP + bottom) / 2
            parts.append(_text("label", 12, y, self.y_label, "middle", f' transform="rotate(-90 12 {y:.1f})"'))
        return parts


def _exact(values: Sequence[float]) -> str:
    return " ".join(f"{value:.10g}" for value in values)


def _ticks(span: tuple[float, float]) -> dict[float, str]:
    return {value: number(value) for value in nice_ticks(*span)}


def _listed(values: Sequence[float]) -> str:
    """Numbers with a blank between: whole ones exactly, others to four digits, nan where there is none."""
    return " ".join(f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}" for value in values)


def _segment(css: str, x1: float, x2: float, y1: float, y2: float) -> str:
    return f'<line class="{css}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _text(css: str, x: float, y: float, label: str, anchor: str, more: str = "") -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(label)}</text>'


def legend_key(style: Style) -> str:
    """A short line in the style of a series, for a legend in HTML."""
    dash = f' stroke-dasharray="{style.dash}"' if style.dash else ""
    line = f'<line class="line h{style.hue}" x1="1" x2="27" y1="5" y2="5"{dash}/>'
    return f'<svg class="key" viewBox="0 0 28 10" width="28" height="10" aria-hidden="true">{line}</svg>'


def plot_css() -> str:
    """Rules for the marks; colours are custom properties --h0 .. --h8 and --ink, --muted, --line, --paper."""
    hues = "".join(f".h{n}{{--hue:var(--h{n})}}" for n in range(HUES))
    return (
        ".plot text{font:11px system-ui,sans-serif;fill:var(--muted)}.plot .label{font-size:11.5px;fill:var(--ink)}"
        ".grid{stroke:var(--line);stroke-width:1}.axis{stroke:var(--muted);stroke-width:1}"
        ".rule{stroke:var(--muted);stroke-width:1;stroke-dasharray:3 3}"
        ".line{stroke:var(--hue);stroke-width:2;fill:none;stroke-linejoin:round}"
        ".thin{stroke:var(--hue);stroke-width:1;fill:none;opacity:.3}.band{fill:var(--hue);opacity:.14}"
        ".dots{stroke:var(--hue);stroke-width:5.6;stroke-linecap:round;fill:none}.path{stroke-width:1.2}.region{fill:var(--h4);opacity:.16}.dot{fill:var(--hue)}.ring{fill:var(--paper);stroke:var(--hue);stroke-width:1.4}"
        + hues
    )


def palette_css(colours: tuple[str, ...], ink: str, muted: str, line: str, paper: str) -> str:
    """Declarations of the custom properties that the marks use."""
    hues = "".join(f"--h{n}:{colour};" for n, colour in enumerate(colours))
    return f"{hues}--ink:{ink};--muted:{muted};--line:{line};--paper:{paper};"


LIGHT_CSS = palette_css(LIGHT, "#17202e", "#5a6573", "#e4e7ec", "#ffffff")
DARK_CSS = palette_css(DARK, "#e8ebf0", "#9aa5b4", "#2b3442", "#141a23")


def standalone(svg: str, styles: list[Style]) -> str:
    """A file of its own: the panel with its style sheet, a background and the legend below it."""
    head, _, rest = svg.partition(">")
    height = float(head.partition('viewBox="0 0 ')[2].split()[1].rstrip('"'))
    rows = []
    for index, style in enumerate(styles):
        y = height + 14 + 16 * index
        dash = f' stroke-dasharray="{style.dash}"' if style.dash else ""
        rows.append(f'<line class="line h{style.hue}" x1="{LEFT}" x2="{LEFT + 26}" y1="{y - 4}" y2="{y - 4}"{dash}/>')
        rows.append(f'<text class="tick" x="{LEFT + 34}" y="{y}">{escape(style.label)}</text>')
    total = height + (16 * len(styles) + 8 if styles else 0)
    head = head.replace(f'viewBox="0 0 {WIDTH:.0f} {height:.0f}"', f'viewBox="0 0 {WIDTH:.0f} {total:.0f}"')
    head = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" width="760" ')
    css = f"svg{{{LIGHT_CSS}}}@media(prefers-color-scheme:dark){{svg{{{DARK_CSS}}}}}{plot_css()}"
    back = '<rect width="100%" height="100%" fill="var(--paper)"/>'
    return f"{head}><style>{css}</style>{back}{rest.removesuffix('</svg>')}{''.join(rows)}</svg>\n"
