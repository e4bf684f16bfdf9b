"""The plan as text: a line per group of jobs with one reason and one outcome, then what all of them cost."""

from workflow_scripts.config.stages import STAGES
from workflow_scripts.planning.dry_run import Job
from workflow_scripts.planning.estimate import Cost, Estimates
from workflow_scripts.planning.labels import Labels
from workflow_scripts.planning.outcomes import COMPUTED, RESTORED, UNLESS, Outcomes
from workflow_scripts.planning.reasons import Reasons

NOTHING = Cost(0, 0, 0)


def plan_text(jobs: list[Job], labels: Labels, reasons: Reasons, outcomes: Outcomes, estimates: Estimates) -> str:
    """The whole plan: groups in the order of the stages, then totals."""
    found = {job.output: outcomes.of(job) for job in jobs}
    costs = {job.output: NOTHING if found[job.output] == RESTORED else estimates.of(job) for job in jobs}
    groups: dict[tuple[str, str, str], list[Job]] = {}
    for job in sorted(jobs, key=lambda job: (STAGES.index(job.stage), job.name)):
        groups.setdefault((job.stage, reasons.of(job), found[job.output]), []).append(job)
    lines = [
        f"{_subject(stage, members, labels)}: {reason}  [{_outcome(outcome, [costs[job.output] for job in members])}]"
        for (stage, reason, outcome), members in groups.items()
    ]
    return "\n".join([*lines, "", *_totals(jobs, found, costs)])


def _subject(stage: str, jobs: list[Job], labels: Labels) -> str:
    count = f"({len(jobs)} jobs)" if len(jobs) > 1 else ""
    return " ".join(part for part in (stage, labels.listed(stage, [job.name for job in jobs]), count) if part)


def _outcome(outcome: str, costs: list[Cost | None]) -> str:
    known = [cost for cost in costs if cost]
    if outcome == RESTORED:
        return outcome
    modelled = " by the cost model" if any(cost.modelled for cost in known) else ""
    return f"{outcome}, {_hours(known) + modelled if known else 'no earlier run to estimate from'}"


def _totals(jobs: list[Job], found: dict, costs: dict) -> list[str]:
    kinds = [list(found.values()).count(kind) for kind in (COMPUTED, UNLESS, RESTORED)]
    counts = [f"{count} {kind}" for count, kind in zip(kinds, (COMPUTED, UNLESS, RESTORED), strict=True) if count]
    known = [cost for cost in costs.values() if cost]
    unknown = len(jobs) - len(known)
    lines = [f"{counted(len(jobs))}: {', '.join(counts)}"]
    if any(cost is not NOTHING for cost in known):
        lines.append(f"Estimate: {'up to ' if kinds[1] else ''}{_hours(known)} ({', '.join(_by_stage(jobs, costs))})")
        if not unknown:
            lines.append(f"At least {_clock(_longest_chain(jobs, costs))} on the clock: the longest chain of jobs")
    if unknown:
        lines.append(f"{counted(unknown)} without an earlier run, not in the estimate: the cost model knows GPUs alone")
    return lines


def _by_stage(jobs: list[Job], costs: dict) -> list[str]:
    stages: dict[str, list[Cost]] = {}
    for job in jobs:
        if costs[job.output] not in (None, NOTHING):
            stages.setdefault(job.stage, []).append(costs[job.output])
    return [f"{stage} {_hours(stages[stage])}" for stage in STAGES if stage in stages]


def _longest_chain(jobs: list[Job], costs: dict) -> float:
    """Seconds of the longest chain of jobs, each waiting for the one before."""
    inputs, ends = {job.output: job.inputs.values() for job in jobs}, {}

    def end(output) -> float:
        if output not in ends:
            before = [end(manifest) for manifest in inputs[output] if manifest in inputs]
            ends[output] = costs[output].wall + max(before, default=0)
        return ends[output]

    return max(end(job.output) for job in jobs)


def _hours(costs: list[Cost]) -> str:
    core, gpu = (sum(getattr(cost, part) for cost in costs) / 3600 for part in ("core", "gpu"))
    shown = [f"{number(core)} CPU-h"] if core or not gpu else []
    return " ".join(shown + ([f"{number(gpu)} GPU-h"] if gpu else []))


def number(hours: float) -> str:
    if 0 < hours < 0.001:
        return "<0.001"
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}" if hours >= 1 else f"{hours:.3f}"


def _clock(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def counted(count: int, thing: str = "job") -> str:
    return f"{count} {thing}{'s' * (count != 1)}"
