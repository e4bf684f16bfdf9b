"""The report's plots, from plain numbers to SVG panels."""

from dataclasses import dataclass
from math import isfinite, log2

import numpy as np

from workflow_scripts.analysis.svg import BOTTOM, TOP, Panel, Style, padded

FAINT_ABOVE = 120  # points; longer curves are drawn smoothed over the raw values
COLUMNS = 60  # of the drawing, 5 units wide each: a curve keeps the extremes within each, and so its look
TOLD = 40  # columns of a smoothed curve whose extremes a hover tells; it is drawn with as many points


@dataclass(frozen=True)
class Series:
    """One curve: (N,) x, mean y, and the smallest and largest y over the seeds (equal to y for one seed)."""

    style: Style
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray


def over_seeds(style: Style, curves: list[tuple[np.ndarray, np.ndarray]]) -> Series:
    """Mean and range over seeds of curves (x, y), on the x that all seeds have."""
    shared = sorted(set.intersection(*(set(x.tolist()) for x, _ in curves)))
    table = np.array([[dict(zip(x.tolist(), y.tolist(), strict=True))[s] for s in shared] for x, y in curves])
    return Series(style, np.array(shared), table.mean(axis=0), table.min(axis=0), table.max(axis=0))


def smooth(y: np.ndarray, window: int) -> np.ndarray:
    """Centred moving mean; at the ends over the points that there are."""
    if window < 2:
        return y
    weights = np.ones(window)
    return np.convolve(y, weights, "same") / np.convolve(np.ones(len(y)), weights, "same")


def thinned(x: np.ndarray, y: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Indices of the points that a drawing of so many columns shows: the ends and the extremes within each."""
    if len(x) <= 2 * columns:
        return np.arange(len(x))
    column = np.floor((x - x[0]) / (x[-1] - x[0]) * columns).astype(int)
    kept = {0, len(x) - 1}
    for start, end in zip(*_runs(column), strict=True):
        part = y[start:end]
        kept |= {start + int(np.argmin(part)), start + int(np.argmax(part))}
    return np.array(sorted(kept))


def _runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where runs of equal values start and end."""
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    return starts, np.append(starts[1:], len(values))


def curves(series: list[Series], x_label: str, y_label: str, title: str, from_zero: bool = True) -> str:
    """Curves per step: a mean line per series with the range over seeds, or the raw values behind a smoothed line.

    Drawn, and listed for a hover, are the points that can be told apart on a screen. A hover tells the raw values, even
    where the line is smoothed.
    """
    xs = [float(v) for one in series for v in one.x]
    ys = [float(v) for one in series for v in (*one.low, *one.high)]
    panel = Panel(_span(xs), padded(ys, floor_at=0.0 if from_zero else None), x_label, y_label)
    for one in series:
        window = max(1, len(one.x) // 40) if len(one.x) > FAINT_ABOVE else 1
        told, spread = thinned(one.x, one.y, COLUMNS if window == 1 else TOLD), bool(np.any(one.low != one.high))
        ends = (one.low[told], one.high[told]) if spread else ()
        with panel.series(one.style, one.x[told], one.y[told], *ends):
            y, low, high = (smooth(values, window) for values in (one.y, one.low, one.high))
            drawn = thinned(one.x, y) if window == 1 else np.linspace(0, len(y) - 1, TOLD + 1).astype(int)
            if spread:
                panel.band(one.x[drawn], low[drawn], high[drawn], one.style)
            elif window > 1:
                raw = thinned(one.x, one.y)
                panel.line(one.x[raw], one.y[raw], Style(one.style.hue, "", ""), css="thin")
            panel.line(one.x[drawn], y[drawn], one.style)
    return panel.render(title)


Track = tuple[Style, np.ndarray, np.ndarray, np.ndarray]


def paths(tracks: list[Track], x_label: str, y_label: str, title: str, t_name: str) -> str:
    """y against x along a third variable t, such as accuracy against entropy along the steps: (style, x, y, t) each.

    The start is a ring, the end a dot.
    """
    xs, ys = ([float(v) for track in tracks for v in track[n]] for n in (1, 2))
    panel = Panel(padded(xs, floor_at=0.0), padded(ys), x_label, y_label, hover="xy", t_name=t_name)
    for style, x, y, t in tracks:
        with panel.series(style, x, y, t=t):
            panel.line(x, y, style, css="line path")
            panel.dot(x[0], y[0], style, hollow=True)
            panel.dot(x[-1], y[-1], style)
    return panel.render(title)


@dataclass(frozen=True)
class Dot:
    """One estimate on a row: value with interval (NaN where there is none)."""

    style: Style
    value: float
    low: float
    high: float


def dots(rows: list[tuple[str, list[Dot]]], x_label: str, title: str, zero: bool = False, left: float = 118.0) -> str:
    """Estimates with intervals, one labelled row per group, the dots of a row above one another."""
    values = [v for _, group in rows for d in group for v in (d.value, d.low, d.high)]
    lane = 11.0
    heights = [max(len(group), 1) * lane + 9 for _, group in rows]
    height = sum(heights) + TOP + BOTTOM
    span = padded(values + ([0.0] if zero else []))
    panel = Panel(span, (0.0, sum(heights)), x_label, "", height, left, hover="row")
    top, ticks = sum(heights), {}
    for (label, group), tall in zip(rows, heights, strict=True):
        ticks[top - tall / 2] = label
        for index, dot in enumerate(group):
            y = top - (tall - lane * len(group)) / 2 - lane * (index + 0.5)
            named = Style(
                dot.style.hue, "", dot.style.label if dot.style.label == label else f"{label}, {dot.style.label}"
            )
            with panel.series(named, [dot.value], [y], [dot.low], [dot.high]):
                panel.whisker(dot.low, dot.high, y, named)
                panel.dot(dot.value, y, dot.style, hollow=bool(dot.style.dash), radius=3.6)
        top -= tall
    panel.y_ticks = ticks
    if zero:
        panel.rule(x=0.0)
    return panel.render(title)


@dataclass(frozen=True)
class LawPlot:
    """Points of one arm and its fitted forms: (N,) entropy, accuracy, early; lines (style, x, y); accuracy reached."""

    entropy: np.ndarray
    accuracy: np.ndarray
    early: np.ndarray
    lines: list[tuple[Style, np.ndarray, np.ndarray]]
    ceiling: float
    reached: float


def law(plot: LawPlot, style: Style, title: str) -> str:
    """Accuracy against entropy with the fits drawn down to H = 0, where the law puts the ceiling."""
    ys = [*plot.accuracy.tolist(), plot.reached] + ([plot.ceiling] if isfinite(plot.ceiling) else [])
    low, high = padded(ys, 0.1)
    span = (0.0, padded(plot.entropy.tolist())[1])
    panel = Panel(span, (low, high), "entropy H (nats)", "validation accuracy (%)", hover="xy")
    if isfinite(plot.reached):
        panel.rule(y=plot.reached)
    for line_style, x, y in plot.lines:
        inside = (y >= low) & (y <= high)
        with panel.series(line_style, [], []):
            panel.line(x[inside], y[inside], line_style)
    with panel.series(style, plot.entropy, plot.accuracy):
        early = np.asarray(plot.early, dtype=bool)
        panel.dots(plot.entropy[~early], plot.accuracy[~early], style)
        for h, r in zip(plot.entropy[early], plot.accuracy[early], strict=True):
            panel.dot(h, r, style, hollow=True, radius=2.8)
    if isfinite(plot.ceiling):
        with panel.series(Style(0, "", "predicted ceiling"), [0.0], [plot.ceiling]):
            panel.dot(0.0, plot.ceiling, Style(0, "", ""), radius=4)
    return panel.render(title)


def reliability(series: list[Series], title: str) -> str:
    """Share truly equivalent against mean P(YES), with the diagonal of a calibrated judge."""
    panel = Panel((0.0, 1.0), (0.0, 1.0), "mean P(YES) in the bin", "share truly equivalent", hover="xy")
    panel.line([0, 1], [0, 1], Style(0, "", ""), css="rule")
    for one in series:
        with panel.series(one.style, one.x, one.y):
            panel.line(one.x, one.y, one.style)
            for x, y in zip(one.x, one.y, strict=True):
                panel.dot(float(x), float(y), one.style)
    return panel.render(title)


def pass_at_k(series: list[Series], title: str) -> str:
    """pass@k against k on a doubling axis."""
    ks = sorted({int(k) for one in series for k in one.x})
    ys = [float(v) for one in series for v in one.y]
    panel = Panel(_span([log2(k) for k in ks]), padded(ys), "samples k", "pass@k (%)", t_name="k")
    panel.x_ticks = {log2(k): str(k) for k in ks}
    for one in series:
        with panel.series(one.style, np.log2(one.x), one.y, one.low, one.high, t=one.x):
            panel.line(np.log2(one.x), one.y, one.style)
            for k, y in zip(one.x, one.y, strict=True):
                panel.dot(log2(k), float(y), one.style, radius=2.4)
    return panel.render(title)


def _span(xs: list[float]) -> tuple[float, float]:
    low, high = (min(xs), max(xs)) if xs else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def interval_bar(
    measured: tuple[float, float, float], seeds: list[float], region: tuple[float, float], style: Style, title: str
) -> str:
    """A value with its interval, and that of every seed as rings, over the shaded region in which a claim is true."""
    value, low, high = measured
    borders = [v for v in (*measured, *seeds, *region) if isfinite(v)]
    panel = Panel(padded(borders, 0.15), (0.0, 1.0), "", "", height=84.0, left=12.0, hover="row")
    panel.y_ticks = {}
    panel.region(*region)
    for border in (v for v in region if isfinite(v)):
        panel.rule(x=border)
    with panel.series(style, [value], [0.6], [low], [high]):
        panel.whisker(low, high, 0.6, style)
        panel.dot(value, 0.6, style, radius=4)
    if len(seeds) > 1:
        with panel.series(Style(style.hue, "", "one seed"), seeds, [0.2] * len(seeds)):
            for seed in seeds:
                panel.dot(seed, 0.2, style, hollow=True, radius=2.6)
    return panel.render(title)
