"""How long jobs take, roughly: for their order, where only proportions count. Nothing else reads these figures.

A job with GPUs takes what the cost model says. One without takes the FLOPs of its network over those that a core
reaches. Compared with a run of nano, jobs of at least ten seconds come out 1.4 to 3.2 times too long.
"""

from collections.abc import Callable

from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.graph import Graph
from workflow_scripts.planning.cost.estimate import GpuJob, Unknown
from workflow_scripts.planning.cost.judging import rollouts
from workflow_scripts.planning.cost.model import CostModel
from workflow_scripts.planning.cost.networks import Network, network_of

START = 3.0  # seconds of any job: imports, checksums
CORE_FLOPS = 1e11  # a second of one core, fp32
TEXT = 64  # tokens of a question with what is learned or judged; half of it without
LEARNING = 3  # forward passes that forward and backward cost


class Durations:
    """Seconds of an artifact's job."""

    def __init__(self, graph: Graph) -> None:
        self._config, self._model = graph.config, CostModel(graph)

    def of(self, artifact: Artifact) -> float:
        if artifact.stage not in FLOPS:
            return START
        if estimate := self._model.of(artifact):
            return estimate.seconds
        try:
            return START + FLOPS[artifact.stage](GpuJob(self._config, artifact, None)) / CORE_FLOPS
        except Unknown:  # a shape, or a number of rows
            return START


def _pass(network: Network, tokens: float) -> float:
    """FLOPs of one forward pass, the head included."""
    return tokens * (network.flops(0) + network.head_flops)


def _prepare(job: GpuJob) -> float:
    training = job.settings["source"].get("training")
    if training is None:
        return 0.0
    network = network_of(job.artifact)
    if network is None:
        raise Unknown("the shape of the model")
    split = job.settings["source"].get("split", "train")
    examples = (
        training["steps"] * training["batch"] if training["steps"] else training["epochs"] * job.rows("data", split)
    )
    return LEARNING * _pass(network, TEXT * examples)


def _train(job: GpuJob) -> float:
    """Generation and update, the verdict of a model on each response, and validations."""
    network, settings, rollout = job.network("policy"), job.settings, job.settings["rollout"]
    responses = settings["steps"] * rollout["prompts"] * rollout["samples"]
    tokens = TEXT / 2 + rollout["max_tokens"]
    found = (1 + LEARNING) * _pass(network, tokens * responses)
    for role in ("teacher", "judge"):
        if role in job.artifact.inputs:
            found += _pass(job.network(role), TEXT * responses)
    if validation := settings.get("validation"):
        count = (settings["steps"] // validation["every"] + 1) * validation["questions"] * validation["samples"]
        found += _pass(network, tokens * count)
    return found


def _label(job: GpuJob) -> float:
    if job.settings["jobs"] > 1 and job.settings["job"] is None:
        return 0.0  # joins the scores of others
    return _pass(job.network("teacher"), TEXT * rollouts(job) / job.settings["jobs"])


def _distil(job: GpuJob) -> float:
    return LEARNING * job.settings["training"]["epochs"] * _pass(job.network("judge_base"), TEXT * rollouts(job))


def _audit(job: GpuJob) -> float:
    answers = job.artifact.inputs["labels"].config["audit_share"] * rollouts(job)
    return sum(_pass(job.network(role), TEXT * answers) for role in ("teacher", "judge_base", "judge"))


def _sample(job: GpuJob) -> float:
    benchmarks = job.settings["benchmarks"].items()
    tokens = sum(_answers(job, name, own) * (TEXT / 2 + own["max_tokens"]) for name, own in benchmarks)
    return _pass(job.network("policy"), tokens)


def _grade(job: GpuJob) -> float:
    sampled = job.artifact.inputs["answers"].config["benchmarks"]
    answers = sum(_answers(job, name, own) for name, own in sampled.items())
    graders = [role for role in ("teacher", "judge") if role in job.artifact.inputs]
    return sum(_pass(job.network(role), TEXT * answers) for role in graders)


def _answers(job: GpuJob, benchmark: str, sampled: dict) -> float:
    return job.rows(f"data:{benchmark}", sampled["split"]) * sampled["samples"]


FLOPS: dict[str, Callable[[GpuJob], float]] = {
    "prepare_model": _prepare,
    "explore_policy": _train,
    "label_rollouts": _label,
    "distill_judge": _distil,
    "audit_judge": _audit,
    "train_policy": _train,
    "sample_answers": _sample,
    "grade_answers": _grade,
}
