"""A section per study: its arms in a table, entropy and accuracy as plots, the equation and settings that it varies."""

from workflow_scripts.analysis.arms import FIELDS, Arm, by_setting
from workflow_scripts.analysis.curves import plateau
from workflow_scripts.analysis.intervals import over_seeds
from workflow_scripts.analysis.plots import Series, curves, paths
from workflow_scripts.analysis.plots import over_seeds as mean_curve
from workflow_scripts.analysis.report import published_section
from workflow_scripts.analysis.report.blocks import Column, Figure, Section, Table
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.equations import equations
from workflow_scripts.analysis.report.headline import cell, file_name, main_rows, triple
from workflow_scripts.analysis.report.study_settings import settings_blocks
from workflow_scripts.analysis.report.style import study_styles
from workflow_scripts.analysis.svg import Style

GROUP = "Studies"
QUANTITIES = (("entropy", "Entropy", "entropy (nats)", 1), ("accuracy", "Accuracy", "accuracy (%)", 100))
QUANTITIES += (("length", "Length", "tokens per response", 1),)


def sections(data: ReportData) -> list[Section]:
    """One section per study that has arms in this run, in the order of the config."""
    titles = data.config.get("studies") or {}
    return [_section(data, name, str(titles.get(name, name))) for name in names(data)]


def names(data: ReportData) -> tuple[str, ...]:
    """The studies that have arms in this run."""
    known = dict.fromkeys([*(data.config.get("studies") or {}), *(name for arm in data.arms for name in arm.studies)])
    return tuple(name for name in known if of_study(data, name))


def of_study(data: ReportData, study: str) -> dict[str, list[Arm]]:
    """The settings of a study with their arms, one per seed."""
    return by_setting([arm for arm in data.arms if study in arm.studies])


def _section(data: ReportData, study: str, title: str) -> Section:
    groups = of_study(data, study)
    styles = study_styles({name: arms[0] for name, arms in groups.items()}, data.look)
    seeds = sorted({arm.seed for arms in groups.values() for arm in arms})
    fields = [name for name in FIELDS if len({getattr(arms[0], name) for arms in groups.values()}) > 1]
    varied = " and ".join(fields) or "nothing but the seed"
    intro = f"{len(groups)} settings; seeds {', '.join(map(str, seeds))}; varied: {varied}."
    blocks = [arms_table(data, study, groups, styles), figure(data, study, groups, styles)]
    blocks += published_section.tables_of(data, study)
    first = {name: arms[0] for name, arms in groups.items()}
    blocks += [equations(list(first.values()), data.config.get("settings") or {})]
    blocks += settings_blocks(data, study, {styles[name].label: arm for name, arm in first.items()})
    return Section(f"study_{study}", title, intro, [block for block in blocks if block], GROUP)


def _sources(data: ReportData, groups: dict[str, list[Arm]]) -> list[str]:
    return [data.origin(f"policy:{arm.role}") for arms in groups.values() for arm in arms]


def arms_table(data: ReportData, study: str, groups: dict[str, list[Arm]], styles: dict[str, Style]) -> Table:
    """A row per model that no RL changed, then per setting: accuracies, and entropy and length on the plateau."""
    rows = {(row["arm"], row["benchmark"]): row for row in main_rows(data)}
    names = {arm.policy for arms in groups.values() for arm in arms}
    models = by_setting([arm for arm in data.baselines if study in arm.studies or arm.setting in names])
    benchmarks = sorted({name for arm, name in rows if arm in groups or arm in models})
    cells: list[list] = []
    for name, found in models.items():
        figures = [rows.get((name, benchmark)) for benchmark in benchmarks]
        label = data.look.label(found[0])
        cells.append([label, len(found), *(triple(row) if row else None for row in figures), None, None, None])
    for name, arms in groups.items():
        found = [rows.get((name, benchmark)) for benchmark in benchmarks]
        ends = [plateau(data.curves[arm.role]) for arm in arms if arm.role in data.curves]
        last = [cell(over_seeds([getattr(end, q) for end in ends])) for q in ("accuracy", "entropy", "length")]
        cells.append([styles[name].label, len(arms), *(triple(row) if row else None for row in found), *last])
    columns = [Column("arm"), Column("seeds", "int"), *(Column(f"{name}, %", "share_interval") for name in benchmarks)]
    columns += [Column("validation, %", "share_interval", "accuracy on the plateau")]
    columns += [Column("entropy, nats", "number_interval"), Column("length, tokens", "number_interval")]
    caption = (
        "Accuracy on the benchmarks (avg@k, by the truth where it is known), then accuracy, entropy and length on the "
        "fixed validation prompts, means over the last quarter of the steps; 95 % intervals in brackets."
    )
    sources = [*data.origins("comparison"), *_sources(data, groups)]
    return Table(f"study_{study}", "Arms", caption, columns, cells, sources, stacked=len(columns) > 5)


def figure(data: ReportData, study: str, groups: dict[str, list[Arm]], styles: dict[str, Style]) -> Figure | None:
    """Entropy, accuracy and length by step, and accuracy against entropy: means over the seeds of each setting."""
    found = {q: _curves(data, groups, styles, q, factor) for q, _, _, factor in QUANTITIES}
    if not found["entropy"]:
        return None
    panels = []
    for quantity, name, axis, _ in QUANTITIES:
        svg = curves(list(found[quantity].values()), "rollout step", axis, f"{name} per step")
        panels.append((file_name(study, quantity), name, svg))
    tracks = [
        (found["entropy"][name].style, found["entropy"][name].y, found["accuracy"][name].y, found["entropy"][name].x)
        for name in found["entropy"]
    ]
    drawing = paths(tracks, "entropy (nats)", "accuracy (%)", "Accuracy against entropy", "step")
    panels.insert(2, (file_name(study, "accuracy_against_entropy"), "Accuracy against entropy", drawing))
    several = any(len(arms) > 1 for arms in groups.values())
    caption = (
        "On the fixed validation prompts, sampled at T = 1; "
        + ("lines are means over seeds, bands their range. " if several else "one seed. ")
        + "Against entropy a path starts at the ring and ends at the dot. Point at a curve for its values; a name in "
        "the legend hides its curve."
    )
    legend = [found["entropy"][name].style for name in found["entropy"]]
    table = values_table(study, groups, styles, found, _sources(data, groups))
    return Figure(f"study_{study}", "Curves", caption, panels, legend, _sources(data, groups), values=[table])


def _curves(
    data: ReportData, groups: dict, styles: dict[str, Style], quantity: str, factor: float
) -> dict[str, Series]:
    """Mean and range over seeds of one quantity, by setting."""
    found = {}
    for name, arms in groups.items():
        runs = [data.curves[arm.role] for arm in arms if arm.role in data.curves]
        runs = [(run.step, factor * getattr(run, quantity)) for run in runs if len(run.step)]
        if runs:
            found[name] = mean_curve(styles[name], runs)
    return found


def values_table(study: str, groups: dict, styles: dict[str, Style], found: dict, sources: list[str]) -> Table:
    """The numbers behind the curves: step, then mean, lowest and highest over the seeds of each quantity."""
    columns = [Column("arm"), Column("step", "int"), Column("seeds", "int")]
    columns += [Column(q, "number_interval") for q, *_ in QUANTITIES]
    rows = []
    for name in found["entropy"]:
        series = [found[q][name] for q, *_ in QUANTITIES]
        factors = [factor for *_, factor in QUANTITIES]
        for index, step in enumerate(series[0].x):
            estimates = [
                tuple(float(v[index]) / factor for v in (one.y, one.low, one.high))
                for one, factor in zip(series, factors, strict=True)
            ]
            rows.append([styles[name].label, int(step), len(groups[name]), *estimates])
    return Table(f"curves_{study}", "Curves", "", columns, rows, sources)
