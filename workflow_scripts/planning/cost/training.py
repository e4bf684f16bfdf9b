"""Trainings: a policy by RL, a judge or a model by supervised fine-tuning."""

from workflow_scripts.planning.cost import engines, judging, memory
from workflow_scripts.planning.cost.estimate import Estimate, GpuJob, model_of
from workflow_scripts.planning.cost.memory import GB, Need
from workflow_scripts.planning.cost.networks import Network
from workflow_scripts.planning.cost.roofline import Batch, learning, scoring

REFERENCE = 64  # tokens of a reference answer: 34 to 54 words (2503.23829, 4.1)
SAVED = 12  # bytes of a weight in a checkpoint: fp32 weight and two moments


def policy(job: GpuJob) -> Estimate:
    """RL: `steps` times the phases of a step, validations, checkpoints, the start."""
    network, settings = job.network("policy"), job.settings
    phases = {name: settings["steps"] * seconds for name, seconds in step_phases(job).items()}
    if "validation" in settings:
        validation = settings["validation"]
        asked = job.responses(validation["questions"] * validation["samples"], settings["rollout"]["max_tokens"])
        count = settings["steps"] // validation["every"] + 1
        sampled = engines.decoding(job, network, engines.in_training(settings), asked)
        phases["validation"] = count * (sampled + _scoring(job, network, asked))
    saves = settings["steps"] // job.team.checkpoint_every + 1
    phases["checkpoints"] = saves * SAVED * network.parameters / GB / job.hardware.disk_gb_s
    phases["start"] = job.start(network, settings["rollout"]["engine"])
    phases["start"] += sum(job.start(judge, how["engine"]) for judge, how in _judges(job))
    return Estimate(phases, job.team, _policy_needs(job, network))


def step_phases(job: GpuJob) -> dict[str, float]:
    """Seconds of one RL step by phase, as rl/trainer.py times them."""
    network, settings, hardware = job.network("policy"), job.settings, job.hardware
    rollout, update = settings["rollout"], settings["update"]
    batch = job.responses(rollout["prompts"] * rollout["samples"], rollout["max_tokens"])
    batches = min(hardware.refill, rollout["max_batches"])
    phases = {"generation": batches * engines.decoding(job, network, engines.in_training(settings), batch)}
    if rollout["engine"] != "inprocess":  # that one has computed them on the way
        phases["old log-probabilities"] = batches * _scoring(job, network, batch)
    for judge, how in _judges(job):
        phases["reward"] = batches * judging.seconds(job, judge, how, batch.sequences)
    if _has_kl(settings):
        phases["reference"] = _scoring(job, network, batch)
    phases["update"] = _learning(job, network, batch, update)
    if settings["measure_entropy_change"]:
        phases["entropy change"] = batches * _scoring(job, network, batch)
    between = hardware.step_seconds + (hardware.engine_step_seconds if rollout["engine"] != "inprocess" else 0)
    return phases | {"between phases": between}


def distil(job: GpuJob) -> Estimate:
    """Supervised fine-tuning of a judge on the labels that are neither audit nor validation."""
    network, training = job.network("judge_base"), job.settings["training"]
    labels = job.artifact.inputs["labels"].config
    examples = (1 - labels["audit_share"] - labels["validation_share"]) * judging.rollouts(job)
    checked = labels["validation_share"] * judging.rollouts(job)
    how = job.settings["judging"] | {"precision": training["precision"]}
    phases = {
        "start": job.start(network),
        "update": training["epochs"] * _learning(job, network, _pairs(job, examples), training),
        "validation": 2 * judging.seconds(job, network, how, checked),
    }
    learns = _learning_need(job, network, training, job.settings["judging"]["max_length"], model_of(job.artifact))
    return Estimate(phases, job.team, (learns, judging.need(job, model_of(job.artifact), network, how)))


def finetune(job: GpuJob) -> Estimate | None:
    """A model that the DAG trains from another one; None for one that is fetched, or trained from nothing."""
    training = job.settings["source"].get("training")
    if training is None or "base" not in job.artifact.inputs:
        return None
    network = job.network("base")
    examples = training["batch"] * training["steps"] if training.get("steps") else _examples(job, training)
    verdicts = job.settings["source"]["objective"] == "verdicts"
    batch = _pairs(job, examples) if verdicts else Batch(examples, job.hardware.prompt_tokens, REFERENCE, REFERENCE)
    longest = judging.LONG * (batch.prompt + batch.response)
    phases = {"start": job.start(network), "update": _learning(job, network, batch, training)}
    return Estimate(phases, job.team, (_learning_need(job, network, training, longest, model_of(job.artifact)),))


# ------------------------------------------------------------------------------------------------ seconds
def _scoring(job: GpuJob, network: Network, batch: Batch) -> float:
    return scoring(network, job.hardware, batch, job.settings["update"]["precision"], job.team.ranks)


def _learning(job: GpuJob, network: Network, batch: Batch, settings: dict) -> float:
    recompute, offload = settings.get("activation_checkpointing", False), settings.get("offload", "none")
    precision, slower = settings.get("precision", "float32"), job.hardware.offload_slowdown
    seconds = learning(network, job.hardware, batch, precision, job.team.ranks, recompute=recompute)
    return seconds * (slower if offload != "none" else 1)


def _pairs(job: GpuJob, examples: float) -> Batch:
    """Prompts of a judge and one token to learn."""
    return Batch(examples, job.hardware.judge_tokens, 1, 1)


def _examples(job: GpuJob, training: dict) -> float:
    return training.get("epochs", 1) * job.rows("data", job.settings["source"].get("split", "train"))


def _has_kl(settings: dict) -> bool:
    return bool(settings["update"]["kl_coef"] or settings["advantage"]["options"].get("kl_coef"))


def _judges(job: GpuJob) -> list[tuple[Network, dict]]:
    """The model that rewards, and how it is run; none for a rule."""
    kind = job.settings["reward"]["kind"]
    return [(job.network(kind), job.settings["reward"]["judging"])] if kind in ("teacher", "judge") else []


# ------------------------------------------------------------------------------------------------- memory
def _policy_needs(job: GpuJob, network: Network) -> tuple[Need, ...]:
    """What a GPU holds while it learns, while it samples, and what a GPU of a model server holds."""
    settings, name = job.settings, model_of(job.artifact)
    rollout, update, how = settings["rollout"], settings["update"], engines.in_training(settings)
    batch = job.responses(rollout["prompts"] * rollout["samples"], rollout["max_tokens"])
    learns = _learning_need(job, network, update, batch.prompt + batch.limit, name, copies=_copies(job, network))
    beside = {part: size for part, size in learns.parts.items() if part not in ("activations", "head")}
    rewarding = beside  # the engine sleeps, unless it may have to refill
    if how["engine"] == "inprocess":
        cache = engines.in_flight(job, network, how, batch.part(job.team.ranks))
        samples = [Need(name, "sampling", beside | {"KV cache": cache}, ("rollout.engine: vllm", *learns.hints))]
    else:
        share = how["gpu_memory"] * job.team.memory
        awake = {part: size for part, size in beside.items() if part != "sleeping engine"} | {"vLLM": share}
        checked = memory.activations(network, update, batch.prompt + batch.limit, learning=False)  # probe, validation
        rewarding = awake if rollout["max_batches"] > 1 else beside
        more = ("a larger sampling.tensor_parallel of the policy", "a larger rollout.gpu_memory")
        samples = [
            Need(name, "sampling", awake | checked, ("a smaller rollout.gpu_memory", *learns.hints)),
            Need(name, "sampling", engines.held_by_vllm(network, how, batch), more, limit=share),
        ]
    return (learns, *samples, *(_rewarding(job, rewarding, judge, how, learns.hints) for judge, how in _judges(job)))


def _rewarding(job: GpuJob, beside: dict[str, float], judge: Network, how: dict, hints: tuple[str, ...]) -> Need:
    """What a GPU holds while a judge reads: of a server's own GPUs, or beside the training."""
    name = job.artifact.inputs[job.settings["reward"]["kind"]].name
    if how["engine"] == "served":
        return judging.need(job, name, judge, how)
    parts = beside | {"its pass": judging.held(job, judge, how)["its pass"]}
    return Need(name, "rewards", parts, ("judging.engine: served", "a smaller judging.batch", *hints))


def _copies(job: GpuJob, network: Network) -> dict[str, float]:
    """Weights beside those that learn: of the reference, of the model that samples, of a judge in this process."""
    settings, copies = job.settings, {}
    update, rollout = settings["update"], settings["rollout"]
    sharded = update["backend"] == "zero3"
    if _has_kl(settings) or rollout["responses"] == "start":
        precision = "float32" if update["backend"] == "single" else update["precision"]
        copies["reference"] = memory.whole(network, precision, job.team.ranks if sharded else 1)
    half = update["backend"] == "single" and update["precision"] != "float32"
    if (sharded or half) and rollout["engine"] == "inprocess":
        copies["copy to sample from"] = memory.whole(network, update["precision"])
    if rollout["engine"] != "inprocess":
        copies["sleeping engine"] = job.hardware.asleep_gb
    for judge, how in _judges(job):
        if how["engine"] != "served":
            copies["judge"] = judging.held(job, judge, how)["judge"]
    return copies


def _learning_need(
    job: GpuJob, network: Network, settings: dict, longest: float, name: str, copies: dict[str, float] | None = None
) -> Need:
    settings = {"backend": "single", "precision": "float32", "micro_batch_tokens": 16384} | settings
    held, host = memory.states(network, settings, job.team.ranks)
    parts = held | (copies or {}) | memory.activations(network, settings, longest)
    parts["outside"] = job.hardware.overhead_gb
    return Need(name, "learning", parts, _hints(settings, longest), host=host * job.team.ranks_per_node)


def _hints(settings: dict, longest: float) -> tuple[str, ...]:
    """Settings that would lower the need of a training, those that are not used yet."""
    hints = [] if settings.get("activation_checkpointing") else ["activation_checkpointing: true"]
    if settings["precision"] == "float32":
        hints.append("precision: bfloat16")
    if settings["micro_batch_tokens"] > longest:
        hints.append("fewer micro_batch_tokens")
    hints += ["backend: zero3"] if settings["backend"] != "zero3" else ["more gpus or nodes"]
    if settings["backend"] != "single" and settings.get("offload", "none") != "all":
        hints.append("offload: optimizer" if settings.get("offload", "none") == "none" else "offload: all")
    return tuple(hints)
