"""What happened in training: entropy at equal accuracy, signs of reward hacking, curves of the training batches."""

import numpy as np

from workflow_scripts.analysis.arms import Arm
from workflow_scripts.analysis.plots import Series, curves, over_seeds
from workflow_scripts.analysis.report.blocks import Column, Figure, Section, Table, Text
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import file_name, triple
from workflow_scripts.rl.hacking import MEANINGS

# (column, title, axis, factor)
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
        "What happened in the training batches; the curves of the validation are in the studies. Colour is the reward, "
        "dashes are the entropy setting."
    )
    blocks = [equal_accuracy_table(data), hacking_table(data) or no_hacking(data)]
    blocks += [metrics_figure(data, title, names) for title, names in data.contexts().items()]
    return Section("training", "Training", intro, [block for block in blocks if block])


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
    if not panels:
        return None
    legend = [data.look.style(data.settings[setting][0], short=True) for setting in settings]
    sources = [data.origin(f"policy:{arm.role}") for setting in settings for arm in data.settings[setting]]
    heading = f"Training batches ({title})" if title else "Training batches"
    return Figure(file_name("metrics", title), heading, caption, panels, legend, sources, folded=True)


def _series(data: ReportData, settings: list[str], values) -> list[Series]:
    found = []
    for setting in settings:
        arms = data.settings[setting]
        runs = [values(arm) for arm in arms]
        runs = [run for run in runs if run is not None and len(run[0])]
        if runs:
            found.append(over_seeds(data.look.style(arms[0], short=True), runs))
    return found


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
        counts = [figures[0]["seeds"], figures[0]["method"]]
        cells.append([data.label(arm), span, *(triple(row) if row else None for row in figures), *counts])
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
