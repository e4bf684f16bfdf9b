"""What the run cost, by stage and by study: time, core time and GPU time, attempts that were killed included."""

from workflow_scripts.analysis.report.blocks import Column, Table
from workflow_scripts.analysis.report.data import ReportData

_OF_ARM = ("policy", "answers", "grades")
_INCLUDED = (
    "An artifact's cost is that of all its attempts: what a killed one had spent, up to its last few seconds, is in "
    "the sums, and 'killed' counts them. GPU-hours are allocated GPUs times wall time. "
)
_COLUMNS = [
    Column("artifacts", "int"),
    Column("killed", "int", "attempts that were killed or ran out of time"),
    Column("seconds", "seconds"),
    Column("core-seconds", "seconds"),
    Column("GPU-hours", "number"),
]


def _sums(records: list[dict]) -> list:
    killed = sum(max(record.get("attempts") or 1, 1) - 1 for record in records)
    seconds, cores, gpus = (
        sum(record.get(name) or 0 for record in records) for name in ("seconds", "core_seconds", "gpu_seconds")
    )
    return [len(records), killed, seconds, cores, gpus / 3600]


def by_stage(data: ReportData) -> Table | None:
    """One row per stage in the order in which they began; restored artifacts keep the cost of their computation."""
    stages: dict[str, list[dict]] = {}
    for record in data.provenance.values():
        stages.setdefault(record["stage"], []).append(record)
    if not stages:
        return None
    cells = []
    for stage, records in sorted(stages.items(), key=lambda item: min(r.get("started") or "" for r in item[1])):
        longest = max(record.get("seconds") or 0 for record in records)
        peak = max(record.get("peak_bytes") or 0 for record in records) / 2**20
        cells.append([stage, *_sums(records), longest, peak])
    cells.append(["all", *_sums(list(data.provenance.values())), None, None])
    columns = [Column("stage"), *_COLUMNS, Column("longest, s", "seconds"), Column("memory, MiB", "int")]
    caption = _INCLUDED + (
        "Several jobs run at once, so that a run's wall time is shorter than the sum of the seconds. Restored "
        "artifacts count with the cost of their computation. The report itself is not in the table."
    )
    return Table("run_time", "Cost by stage", caption, columns, cells, sorted(map(data.origin, data.provenance)))


def by_study(data: ReportData) -> Table | None:
    """One row per study: training, sampling and grading of its arms."""
    cells, sources = [], []
    titles = data.config.get("studies") or {}
    for study in dict.fromkeys(name for arm in data.arms for name in arm.studies):
        arms = [arm for arm in data.arms if study in arm.studies]
        roles = [f"{kind}:{arm.role}" for arm in arms for kind in _OF_ARM]
        known = [role for role in roles if role in data.provenance]
        sources += known
        cells.append([str(titles.get(study, study)), len(arms), *_sums([data.provenance[role] for role in known])])
    columns = [Column("study"), Column("arms", "int"), *_COLUMNS]
    caption = _INCLUDED + (
        "Training, sampling and grading of the arms of each study. An arm of two studies was computed once and counts "
        "in both; data, base models, teacher and judge are in none."
    )
    if not cells:
        return None
    return Table("run_time_by_study", "Cost by study", caption, columns, cells, list(map(data.origin, sources)))
