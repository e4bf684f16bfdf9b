"""Collapse and covariance: how early entropy is spent, and what the covariance says about it."""

from math import nan

from workflow_scripts.analysis.collapse import QUANTITIES, SHARES, UNCONTROLLED
from workflow_scripts.analysis.covariance import CHANGES, WHEN, WINDOW
from workflow_scripts.analysis.report.blocks import Column, Section, Table
from workflow_scripts.analysis.report.data import ReportData
from workflow_scripts.analysis.report.headline import triple
from workflow_scripts.analysis.report.published_section import printed_values
from workflow_scripts.rl.covariance_shares import COVARIANCE_SHARES

_SHARE_NAMES = ("1/12", "1/3")


def section(data: ReportData) -> Section:
    intro = (
        "The paper's explanation of the collapse: tokens whose log-probability and advantage rise together take the "
        "entropy away. Shown are how early it goes, how large the covariance is, and whether it foretells the fall."
    )
    blocks = [collapse_table(data), covariance_table(data), correlation_table(data)]
    return Section("mechanism", "Collapse and covariance", intro, [block for block in blocks if block])


def _alone(value: float | None) -> tuple[float, float, float] | None:
    """A published value, which has no interval."""
    return None if value is None else (value, nan, nan)


def collapse_table(data: ReportData) -> Table | None:
    """Settings down; share of entropy spent and of gain reached after 1/12 and 1/3 of the steps across."""
    found = {(row["arm"], row["quantity"], row["share"]): row for row in data.tables["collapse"]}
    keys = [(quantity, share) for quantity in QUANTITIES for share in SHARES]
    cells: list[list] = []
    for arm in dict.fromkeys(row["arm"] for row in data.tables["collapse"]):
        rows = [found.get((arm, *key)) for key in keys]
        seeds = max(row["seeds"] for row in rows if row)
        cells.append([data.label(arm), *(triple(row) if row else None for row in rows), seeds])
    cells.sort(key=lambda row: row[0] != UNCONTROLLED)
    published = {
        (o.get("of"), round(o.get("share", nan), 3)): value for _, o, value in printed_values(data, "collapse")
    }
    figures = [published.get((quantity.split()[-1], round(share, 3))) for quantity, share in keys]
    if cells and published:
        cells.insert(0, ["published, 11 models", *map(_alone, figures), None])
    names = {"training entropy": "entropy spent, training", "validation entropy": "entropy spent, validation"}
    columns = [Column("arm")]
    for quantity, share in keys:
        after = _SHARE_NAMES[SHARES.index(share)]
        columns.append(Column(f"{names.get(quantity, 'gain reached')}, after {after}, %", "share_interval"))
    columns.append(Column("seeds", "int"))
    caption = (
        "Share of the whole change, from the start to the mean of the last quarter, that is done after 1/12 and 1/3 of "
        "the steps. Training entropy is of one batch and noisy, validation entropy of the fixed prompts."
    )
    title = "How early entropy is spent and accuracy gained"
    return Table("collapse", title, caption, columns, cells, data.origins("law")) if cells else None


def covariance_table(data: ReportData) -> Table | None:
    """Mean covariance of the top tokens, settings and phases down, token shares across, Table 1 of the paper first."""
    rows = data.tables["covariance"]
    tops = list(dict.fromkeys(row["top"] for row in rows))
    found = {(row["arm"], row["when"], row["top"]): row for row in rows}
    cells: list[list] = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        for when in WHEN:
            here = [found[arm, when, top] for top in tops]
            if any(row["seeds"] for row in here):
                cells.append([data.label(arm), when, *map(triple, here), max(row["seeds"] for row in here)])
    if not cells:
        return None
    published: dict[str, dict[float | None, float]] = {}
    for row, options, value in printed_values(data, "covariance_profile"):
        published.setdefault(row, {})[COVARIANCE_SHARES.get(options.get("column"))] = value
    above = [[f"published, {row}", "step 1", *map(_alone, map(by.get, tops)), None] for row, by in published.items()]
    columns = [Column("arm"), Column("when")]
    columns += [Column(f"top {100 * top:g} %" if top < 1 else "all", "number_interval") for top in tops]
    columns += [Column("seeds", "int")]
    caption = (
        "Mean covariance (2505.22617, Eq. 10) of the tokens with the largest one. A few tokens have hundreds of times "
        "the mean: those are the ones that Clip-Cov and KL-Cov act on."
    )
    return Table("covariance", "Covariance of the top tokens", caption, columns, above + cells, data.origins("law"))


def correlation_table(data: ReportData) -> Table | None:
    """Correlation of the covariance with the fall of entropy: one row per arm and seed, the mean over seeds first."""
    rows = data.tables["entropy_change"]
    keys = dict.fromkeys((row["arm"], row["measured_on"], row["seed"]) for row in rows)
    found = {(row["arm"], row["measured_on"], row["seed"], row["series"]): row for row in rows}
    cells = []
    for arm, measured_on, seed in sorted(
        keys, key=lambda key: (key[0], key[1] != "same responses", key[2] is not None)
    ):
        here = [found[arm, measured_on, seed, series] for series in CHANGES]
        name = "all" if seed is None else str(seed)
        cells.append([data.label(arm), measured_on, name, *map(triple, here), here[0]["n"], here[0]["n_effective"]])
    columns = [Column("arm"), Column("entropy change on"), Column("seed")]
    columns += [Column(series, "number_interval") for series in CHANGES]
    columns += [Column("pairs", "int"), Column("independent", "number")]
    caption = (
        "Spearman's correlation of the covariance (Eq. 9) with the fall of entropy -ΔH that it should foretell "
        f"(theorem 2: proportional). Levels share a trend; detrended takes off a rolling mean of {WINDOW} values; "
        "first differences leave no trend at all. Same responses: entropy of one step's rollouts before and after its "
        "update. Fixed prompts: between two validations. 95 % intervals of Fisher at the number of independent pairs; "
        "over seeds: t."
    )
    title = "Does the covariance foretell the fall of entropy?"
    return Table("entropy_change", title, caption, columns, cells, data.origins("law")) if cells else None
