"""Teachers and judges at work: labels, audits, grades, and the rewards of a training."""

from workflow_scripts.planning.cost import memory
from workflow_scripts.planning.cost.estimate import Estimate, GpuJob
from workflow_scripts.planning.cost.memory import Need
from workflow_scripts.planning.cost.networks import Network
from workflow_scripts.planning.cost.roofline import reading

LONG = 2  # the longest prompts of a batch, in mean ones
CHUNK = 8192  # tokens of a vLLM prefill
WORDINGS = 12  # of an answer, that an audit tries
PROBES = 10  # answers without content to each question of an audit


def seconds(job: GpuJob, network: Network, judging: dict, verdicts: float) -> float:
    """Reading one prompt for each verdict."""
    tokens = verdicts * job.hardware.judge_tokens
    gpus = job.team.judging(judging)
    return reading(network, job.hardware, tokens, job.hardware.judge_tokens / 2, judging["precision"], gpus)


def need(job: GpuJob, name: str, network: Network, judging: dict) -> Need:
    """What a GPU holds that judges and does nothing else."""
    parts = held(job, network, judging)
    outside = job.hardware.overhead_gb
    if judging["engine"] != "inprocess":
        outside = max(outside, (1 - job.hardware.vllm_share) * job.team.memory)
    hints = (
        ("a smaller judging.batch", "judging.precision: bfloat16", "judging.engine: vllm with tensor_parallel")
        if judging["engine"] == "inprocess"
        else ("a larger judging.tensor_parallel",)
    )
    return Need(name, "judging", parts | {"outside": outside}, hints)


def held(job: GpuJob, network: Network, judging: dict) -> dict[str, float]:
    """GB of a judge on one of its GPUs: weights, and what a pass needs on top."""
    precision, longest = judging["precision"], judging["max_length"]
    if judging["engine"] == "inprocess":
        tokens = judging["batch"] * min(LONG * job.hardware.judge_tokens, longest)
        return {"judge": memory.whole(network, precision), "its pass": memory.prefill(network, precision, tokens)}
    gpus = judging["tensor_parallel"]
    cache = memory.cache(network, precision, longest) / gpus
    return {"judge": memory.whole(network, precision, gpus), "its pass": cache + _chunk(network, precision) / gpus}


def _chunk(network: Network, precision: str) -> float:
    return memory.prefill(network, precision, CHUNK)


def label(job: GpuJob) -> Estimate | None:
    """None for the job that only joins the scores of others."""
    jobs, index = job.settings["jobs"], job.settings["job"]
    if jobs > 1 and index is None:
        return None
    teacher, how = job.network("teacher"), job.settings["judging"]
    judged = seconds(job, teacher, how, rollouts(job) / jobs)
    phases = {"start": job.start(teacher, how["engine"]), "judging": judged}
    return Estimate(phases, job.team, (need(job, _name(job, "teacher"), teacher, how),))


def audit(job: GpuJob) -> Estimate:
    """Every rater in turn: the audit's answers, probes without content, answers in other words."""
    settings, labels = job.settings, job.artifact.inputs["labels"].config
    raters = {"teacher": "teacher", "judge_base": "base", "judge": "distilled"}
    asked = {role: settings["judging"][name] for role, name in raters.items()}
    asked |= {f"compare:{name}": other["judging"] for name, other in settings["compare"].items()}
    if "second" in job.artifact.inputs:
        asked["second"] = settings["second_rater"]["judging"]
    answers = labels["audit_share"] * rollouts(job)
    verdicts = answers + WORDINGS * settings["wording_answers"] + PROBES * answers / _samples(job)
    phases, needs = {"start": 0.0, "judging": 0.0}, []
    for role, judging in asked.items():
        network = job.network(role)
        phases["start"] += job.start(network, judging["engine"])
        phases["judging"] += seconds(job, network, judging, verdicts)
        needs.append(need(job, _name(job, role), network, judging))
    return Estimate(phases, job.team, tuple(needs))


def grade(job: GpuJob) -> Estimate | None:
    """One prompt for each answer and grader that is a model; None where only rules grade."""
    settings, phases, needs = job.settings, {"start": 0.0, "judging": 0.0}, []
    sampled = job.artifact.inputs["answers"].config["benchmarks"]
    for role in ("teacher", "judge"):
        if role not in settings:
            continue
        network, judging = job.network(role), settings[role]["judging"]
        asked = [name for name, benchmark in settings["benchmarks"].items() if role in benchmark["graders"]]
        verdicts = sum(
            job.rows(f"data:{name}", settings["benchmarks"][name]["split"]) * sampled[name]["samples"] for name in asked
        )
        phases["start"] += job.start(network, judging["engine"])
        phases["judging"] += seconds(job, network, judging, verdicts)
        needs.append(need(job, _name(job, role), network, judging))
    return Estimate(phases, job.team, tuple(needs)) if needs else None


def rollouts(job: GpuJob) -> float:
    """Rollouts of the exploration behind a label table, at most."""
    explored = _exploration(job)
    rollout = explored["rollout"]
    return explored["steps"] * rollout["prompts"] * rollout["samples"] * rollout["max_batches"]


def _samples(job: GpuJob) -> int:
    return _exploration(job)["rollout"]["samples"]


def _exploration(job: GpuJob) -> dict:
    inputs = job.artifact.inputs
    return (inputs if "rollouts" in inputs else inputs["labels"].inputs)["rollouts"].config


def _name(job: GpuJob, role: str) -> str:
    return job.artifact.inputs[role].name
