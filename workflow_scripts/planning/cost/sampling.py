"""Answers to the benchmarks."""

from workflow_scripts.planning.cost import engines, memory
from workflow_scripts.planning.cost.estimate import Estimate, GpuJob, model_of
from workflow_scripts.planning.cost.memory import Need
from workflow_scripts.planning.cost.networks import Network
from workflow_scripts.planning.cost.roofline import Batch


def sample(job: GpuJob) -> Estimate:
    """Benchmark after benchmark, each dealt over all engines."""
    network, how = job.network("policy"), _how(job)
    phases, needs = {"start": job.start(network, how["engine"]), "generation": 0.0}, []
    for name, settings in job.settings["benchmarks"].items():
        count = job.rows(f"data:{name}", settings["split"]) * settings["samples"]
        batch = job.responses(count, settings["max_tokens"])
        phases["generation"] += engines.decoding(job, network, how, batch)
        needs.append(_need(job, network, how, batch))
    return Estimate(phases, job.team, tuple(needs))


def _how(job: GpuJob) -> dict:
    """How this model is run where it answers: its `sampling`, or the engine that the stage names."""
    named = {name: job.settings[name] for name in ("engine",) if name in job.settings}
    return engines.INPROCESS | named | job.settings.get("sampling", {})


def _need(job: GpuJob, network: Network, how: dict, batch: Batch) -> Need:
    name = model_of(job.artifact)
    if how["engine"] != "inprocess":
        hints = ("a larger sampling.tensor_parallel", "a larger sampling.gpu_memory")
        held = engines.held_by_vllm(network, how, batch)
        return Need(name, "sampling", held, hints, limit=how["gpu_memory"] * job.team.memory)
    held = {
        "weights": memory.whole(network, how["precision"]),
        "KV cache": engines.in_flight(job, network, how, batch.part(job.team.ranks)),
        "outside": job.hardware.overhead_gb,
    }
    return Need(name, "sampling", held, ("sampling.engine: vllm", "sampling.precision: bfloat16"))
