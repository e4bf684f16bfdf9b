"""Curves of the training: entropy, accuracy and length per step and arm, and what the entropy controls did."""

import numpy as np

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.plots import Series, curves, over_seeds
from workflow_scripts.analysis.report.blocks import Column, Figure, Section, Table, Text
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import file_name, triple
from workflow_scripts.rl.hacking import MEANINGS

# (column, title, axis, factor)
VALIDATION_PANELS = (
    ("entropy", "Entropy", "entropy (nats)", 1),
    ("accuracy", "Accuracy", "accuracy (%)", 100),
    ("length", "Length", "tokens per response", 1),
)
METRIC_PANELS = (
    ("entropy", "Training entropy", "entropy (nats)", 1),
    ("verdict", "Accepted by the reward", "responses (%)", 100),
    ("truth", "Truly right", "responses (%)", 100),
    ("clip_fraction", "Tokens without gradient", "tokens (%)", 100),
    ("grad_norm", "Gradient norm", "norm", 1),
    ("groups_kept", "Groups with mixed verdicts", "groups", 1),
)


def section(data: ReportData) -> Section:
    intro = (
        "Entropy, accuracy and length while the policies train. Colour is the reward, dashes are the entropy setting."
    )
    blocks = [validation_figure(data, title, names) for title, names in data.contexts().items()]
    blocks += [equal_accuracy_table(data), hacking_table(data) or no_hacking(data)]
    blocks += [metrics_figure(data, title, names) for title, names in data.contexts().items()]
    return Section("training", "Training", intro, [block for block in blocks if block])


def validation_figure(data: ReportData, title: str, settings: list[str]) -> Figure | None:
    """Validation curves of the settings of one context."""
    panels = []
    for column, name, axis, factor in VALIDATION_PANELS:
        series = _series(data, settings, lambda arm, c=column, f=factor: _validation(data, arm, c, f))
        if series:
            svg = curves(series, "rollout step", axis, f"{name} per step")
            panels.append((file_name("validation", title, column), name, svg))
    caption = (
        "On the fixed validation prompts, sampled at T = 1; lines are means over seeds and bands their range. Entropy "
        "that falls while accuracy rises is exploration being spent: look whether accuracy stops rising where "
        "entropy is gone, and whether an entropy control delays both or one of them."
    )
    if len(data.seeds) == 1:
        caption = caption.replace("lines are means over seeds and bands their range", "one seed")
    return _figure(data, "validation", title, "Validation curves", caption, panels, settings)


def metrics_figure(data: ReportData, title: str, settings: list[str]) -> Figure | None:
    """Per-step figures of the training batches."""
    panels = []
    for column, name, axis, factor in METRIC_PANELS:
        series = _series(data, settings, lambda arm, c=column, f=factor: _metric(data, arm, c, f))
        if series:
            svg = curves(series, "rollout step", axis, f"{name} per step")
            panels.append((file_name("metrics", title, column), name, svg))
    caption = (
        "Training batches before each update; long curves are smoothed, the raw values lie behind them. Training "
        "entropy is that of 2505.22617, Eq. 5: responses of groups with mixed verdicts only. Verdicts accepted above "
        "the share truly right are rewards for wrong answers."
    )
    return _figure(data, "metrics", title, "Training batches", caption, panels, settings)


def _figure(
    data: ReportData, name: str, title: str, heading: str, caption: str, panels: list, settings: list[str]
) -> Figure | None:
    if not panels:
        return None
    arms = [data.settings[setting][0] for setting in settings]
    legend = [data.look.style(arm, short=True) for arm in arms]
    sources = [data.origin(f"policy:{arm.role}") for setting in settings for arm in data.settings[setting]]
    heading = f"{heading} ({title})" if title else heading
    return Figure(file_name(name, title), heading, caption, panels, legend, sources, folded=name == "metrics")


def _series(data: ReportData, settings: list[str], values) -> list[Series]:
    found = []
    for setting in settings:
        arms = data.settings[setting]
        runs = [values(arm) for arm in arms]
        runs = [run for run in runs if run is not None and len(run[0])]
        if runs:
            found.append(over_seeds(data.look.style(arms[0], short=True), runs))
    return found


def _validation(data: ReportData, arm: Arm, column: str, factor: float) -> tuple[np.ndarray, np.ndarray] | None:
    curve = data.curves.get(arm.role)
    return (curve.step, factor * getattr(curve, column)) if curve else None


def _metric(data: ReportData, arm: Arm, column: str, factor: float) -> tuple[np.ndarray, np.ndarray] | None:
    table = data.metrics.get(arm.role)
    if table is None:
        return None
    pairs = zip(table["step"].to_pylist(), table[column].to_pylist(), strict=True)
    kept = [(step, value) for step, value in pairs if value is not None]
    return np.array([s for s, _ in kept], dtype=float), np.array([factor * v for _, v in kept])


def hacking_table(data: ReportData) -> Table | None:
    """Signs of reward hacking: arm, seed, sign, and in which steps it was seen."""
    cells = []
    for arm in data.arms:
        table = data.metrics.get(arm.role)
        columns = [table[name].to_pylist() for name in ("step", "warning")] if table else [[], []]
        for sign, meaning in MEANINGS.items():
            steps = [step for step, warning in zip(*columns, strict=True) if sign in warning.split(",")]
            if steps:
                cells.append([data.look.label(arm), arm.seed, sign, meaning, steps[0], len(steps), len(columns[0])])
    heads = [Column("arm"), Column("seed", "int"), Column("sign"), Column("meaning"), Column("first step", "int")]
    heads += [Column("steps with it", "int"), Column("steps", "int")]
    caption = (
        "Watched in every step by fixed rules (workflow_scripts/rl/hacking.py). A sign is a reason to read the arm's "
        "responses, not yet a proof: short or equal answers can be right ones."
    )
    title = "Signs of reward hacking"
    return Table("reward_hacking", title, caption, heads, cells, data.origins("policy")) if cells else None


def no_hacking(data: ReportData) -> Text | None:
    signs = ", ".join(MEANINGS)
    text = f"No sign of reward hacking ({signs}) was seen in any arm."
    return Text(text, title="Signs of reward hacking") if data.metrics else None


def equal_accuracy_table(data: ReportData) -> Table | None:
    """One row per arm with an entropy control, one column per quantity against the arm without."""
    rows = [row for row in data.tables["entropy_at_equal_accuracy"] if row["seed"] is None]
    quantities = list(dict.fromkeys(row["quantity"] for row in rows))
    found = {(row["arm"], row["quantity"]): row for row in rows}
    cells = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        figures = [found.get((arm, quantity)) for quantity in quantities]
        span = f"{100 * figures[0]['accuracy_low']:.0f}–{100 * figures[0]['accuracy_high']:.0f}"
        label = data.look.label(data.settings[arm][0])
        counts = [figures[0]["seeds"], figures[0]["method"]]
        cells.append([label, span, *(triple(row) if row else None for row in figures), *counts])
    columns = [Column("arm"), Column("common accuracies, %")]
    columns += [Column(quantity, "number_interval") for quantity in quantities]
    columns += [Column("seeds", "int"), Column("interval")]
    caption = (
        "Against the arm without entropy control that is equal in all else, paired by seed. At equal accuracy: the "
        "entropy when each arm first reached a level, over the levels that both reach. A ratio of 1 means that nothing "
        "was kept; an accuracy difference is a share of 1."
    )
    title, sources = "Entropy at equal accuracy", data.origins("comparison")
    return Table("entropy_at_equal_accuracy", title, caption, columns, cells, sources) if cells else None
