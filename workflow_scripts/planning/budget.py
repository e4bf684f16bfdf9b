"""What a plan costs in GPU-hours by study, what its kinds of jobs need, and what these figures rest on."""

from collections import defaultdict

from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.stages import STAGES
from workflow_scripts.planning.cost.check import parts
from workflow_scripts.planning.cost.estimate import Estimate, model_of
from workflow_scripts.planning.cost.model import CostModel
from workflow_scripts.planning.dry_run import Job
from workflow_scripts.planning.estimate import Estimates
from workflow_scripts.planning.outcomes import RESTORED, Outcomes
from workflow_scripts.planning.text import counted, number

OF_ARMS = ("train_policy", "sample_answers", "grade_answers")  # all else is shared by the studies
SHARED = "shared by all"


def budget_text(jobs: list[Job], graph: Graph, model: CostModel, estimates: Estimates, outcomes: Outcomes) -> str:
    """GPU-hours by study, minutes and memory by kind of job, warnings, assumptions; empty where no job has a GPU."""
    due = {(job.stage, job.identity): estimates.of(job) for job in jobs if outcomes.of(job) != RESTORED}
    hours = {place: cost.gpu / 3600 for place, cost in due.items() if cost and cost.gpu}
    if not hours:
        return ""
    kinds = _kinds(graph, model, due)
    sections = [_by_study(graph, hours), [_needs(kind, found) for kind, found in kinds.items()]]
    sections += [_warnings(kinds), _assumptions(graph, model)]
    return "".join("\n" + "\n".join(lines) + "\n" for lines in sections if lines)


# ----------------------------------------------------------------------------------------------- by study
def studies_of(graph: Graph) -> dict[tuple[str, str], str]:
    """(stage, identity) -> the first study that needs an artifact; what several kinds of arms share is left out."""
    found: dict[tuple[str, str], str] = {}
    for study in graph.config.studies:
        asked = graph.of_study(study) + [a for arm in graph.arms if study in arm.studies for a in graph.of_arm(arm)]
        for artifact in asked:
            for made in _with_upstream(artifact):
                if made.stage in OF_ARMS:
                    found.setdefault((made.stage, made.identity), study)
    return found


def _with_upstream(artifact: Artifact) -> list[Artifact]:
    return [artifact, *(made for upstream in artifact.inputs.values() for made in _with_upstream(upstream))]


def _by_study(graph: Graph, hours: dict[tuple[str, str], float]) -> list[str]:
    first, totals = studies_of(graph), defaultdict(float)
    for place, spent in hours.items():
        totals[first.get(place, SHARED)] += spent
    rows = [("study", "arms", "new", "GPU-h")]
    for study in graph.config.studies:
        arms = [arm for arm in graph.arms if study in arm.studies]
        new = sum(arm.studies[0] == study for arm in arms)
        rows.append((study, str(len(arms)), str(new), _shown(totals[study])))
    rows += [(SHARED, "", "", _shown(totals[SHARED])), ("total", str(len(graph.arms)), "", _shown(sum(hours.values())))]
    width = max(len(row[0]) for row in rows)
    table = [f"{name:{width}}  {arms:>5}  {new:>5}  {spent:>9}" for name, arms, new, spent in rows]
    return ["GPU-hours to come; what several studies use counts in the first of them.", *table]


def _shown(hours: float) -> str:
    return number(hours) if hours else "0"


# ----------------------------------------------------------------------------------------- by kind of job
def _kinds(graph: Graph, model: CostModel, due: dict) -> dict[tuple[str, str], list[Estimate]]:
    """Estimates of the jobs to come by stage and model, in the order of the stages, longest first."""
    kinds: dict[tuple[str, str], list[Estimate]] = defaultdict(list)
    for stage, identity in sorted(due, key=lambda place: STAGES.index(place[0])):
        artifact = graph.of_stage(stage).get(identity)
        if artifact and (estimate := model.of(artifact)):
            kinds[stage, _model(artifact)].append(estimate)
    return {kind: sorted(found, key=lambda one: -one.seconds) for kind, found in kinds.items()}


def _model(artifact: Artifact) -> str:
    """The model that a job trains, samples from, or judges with."""
    for role in ("teacher", "judge"):
        if artifact.stage in ("label_rollouts", "grade_answers") and role in artifact.inputs:
            return artifact.inputs[role].name
    return model_of(artifact)


def _needs(kind: tuple[str, str], found: list[Estimate]) -> str:
    longest, team = found[0], found[0].team
    fullest = max(found, key=lambda one: one.fullest.total / one.limit(one.fullest))
    need, minutes = fullest.fullest, f"{longest.seconds / 60:,.0f} min ({team.minutes:,} placed)"
    return (
        f"{kind[0]} {kind[1]}: {counted(len(found))} of up to {minutes} on {counted(team.gpus, 'GPU')}, "
        f"{need.total:.0f} of {fullest.limit(need):.0f} GB for {need.moment} ({parts(need)})"
    )


def _warnings(kinds: dict[tuple[str, str], list[Estimate]]) -> list[str]:
    lines = []
    for (stage, name), found in kinds.items():
        minutes, placed = found[0].seconds / 60, found[0].team.minutes
        if minutes > placed:
            lines.append(
                f"warning: placement.{stage}.minutes: {placed} is below the {minutes:.0f} that a job of {name} is "
                "estimated to take"
            )
    return lines


# ---------------------------------------------------------------------------------------- what it rests on
def _assumptions(graph: Graph, model: CostModel) -> list[str]:
    assumed = graph.config.hardware
    lines = [
        "The cost model (workflow_scripts/planning/cost) was never compared with this pipeline on GPUs; jobs that ran "
        "before go by their own times. It assumes (reasons: workflow_scripts/config/hardware.py), and `hardware:` may "
        "say otherwise:",
        f"  {assumed.gpu}: {assumed.peak / 1e12:g} TFLOP/s bf16, {assumed.peak_head / 1e12:g} for logits, "
        f"{assumed.bandwidth / 1e12:g} TB/s, {assumed.memory:g} GB; of the peak {assumed.train_mfu:.0%} in training, "
        f"{assumed.prefill_mfu:.0%} reading, {assumed.decode_efficiency:.0%} decoding",
        f"  responses of {assumed.response_tokens:,} tokens, at most {assumed.response_share:.0%} of max_tokens, the "
        f"longest {assumed.longest_response:g} times as long; {assumed.refill:g} batches a step where groups are "
        f"refilled; {assumed.engine_minutes:g} min to start an engine",
    ]
    return lines + [f"  not estimated: {reason}" for reason in sorted(model.unknown)]
