"""The report's plots, from plain numbers to SVG panels."""

from dataclasses import dataclass
from math import isfinite, log2

import numpy as np

from workflow_scripts.analysis.svg import BOTTOM, TOP, Panel, Style, padded

FAINT_ABOVE = 60  # points; longer curves are drawn smoothed over the raw values


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


def curves(series: list[Series], x_label: str, y_label: str, title: str, from_zero: bool = True) -> str:
    """Curves per step: a mean line per series with the range over seeds, or the raw values behind a smoothed line."""
    xs = [float(v) for one in series for v in one.x]
    ys = [float(v) for one in series for v in (*one.low, *one.high)]
    panel = Panel(_span(xs), padded(ys, floor_at=0.0 if from_zero else None), x_label, y_label)
    for one in series:
        window = max(1, len(one.x) // 40) if len(one.x) > FAINT_ABOVE else 1
        if np.any(one.low != one.high):
            panel.band(one.x, smooth(one.low, window), smooth(one.high, window), one.style)
        elif window > 1:
            panel.line(one.x, one.y, Style(one.style.hue, "", ""), css="thin")
        panel.line(one.x, smooth(one.y, window), one.style)
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
    panel = Panel(padded(values + ([0.0] if zero else [])), (0.0, sum(heights)), x_label, "", height, left)
    top, ticks = sum(heights), {}
    for (label, group), tall in zip(rows, heights, strict=True):
        ticks[top - tall / 2] = label
        for index, dot in enumerate(group):
            y = top - (tall - lane * len(group)) / 2 - lane * (index + 0.5)
            panel.whisker(dot.low, dot.high, y, Style(dot.style.hue, "", ""))
            hollow = bool(dot.style.dash)
            panel.dot(dot.value, y, dot.style, hollow, f"{dot.style.label}: {dot.value:.3f}", 3.6)
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
    panel = Panel((0.0, padded(plot.entropy.tolist())[1]), (low, high), "entropy H (nats)", "validation accuracy (%)")
    if isfinite(plot.reached):
        panel.rule(y=plot.reached)
    for line_style, x, y in plot.lines:
        inside = (y >= low) & (y <= high)
        panel.line(x[inside], y[inside], line_style)
    for h, r, early in zip(plot.entropy, plot.accuracy, plot.early, strict=True):
        panel.dot(h, r, style, hollow=bool(early), radius=2.8)
    panel.dot(0.0, plot.ceiling, Style(0, "", ""), radius=4)
    return panel.render(title)


def reliability(series: list[Series], title: str) -> str:
    """Share truly equivalent against mean P(YES), with the diagonal of a calibrated judge."""
    panel = Panel((0.0, 1.0), (0.0, 1.0), "mean P(YES) in the bin", "share truly equivalent")
    panel.line([0, 1], [0, 1], Style(0, "", ""), css="rule")
    for one in series:
        panel.line(one.x, one.y, one.style)
        for x, y in zip(one.x, one.y, strict=True):
            panel.dot(float(x), float(y), one.style)
    return panel.render(title)


def pass_at_k(series: list[Series], title: str) -> str:
    """pass@k against k on a doubling axis."""
    ks = sorted({int(k) for one in series for k in one.x})
    ys = [float(v) for one in series for v in one.y]
    panel = Panel(_span([log2(k) for k in ks]), padded(ys), "samples k", "pass@k (%)")
    panel.x_ticks = {log2(k): str(k) for k in ks}
    for one in series:
        panel.line(np.log2(one.x), one.y, one.style)
        for k, y in zip(one.x, one.y, strict=True):
            panel.dot(log2(k), float(y), one.style, radius=2.4)
    return panel.render(title)


def _span(xs: list[float]) -> tuple[float, float]:
    low, high = (min(xs), max(xs)) if xs else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)
