"""Answers to the benchmarks."""

from dataclasses import replace

from workflow_scripts.planning.cost import memory
from workflow_scripts.planning.cost.estimate import Estimate, GpuJob, model_of
from workflow_scripts.planning.cost.judging import CHUNK
from workflow_scripts.planning.cost.memory import GB, Need
from workflow_scripts.planning.cost.networks import Network
from workflow_scripts.planning.cost.roofline import Decoder

INPROCESS = {"engine": "inprocess", "precision": "float32", "tensor_parallel": 1, "gpu_memory": 0.9}


def sample(job: GpuJob) -> Estimate:
    """Benchmark after benchmark, each dealt over all engines."""
    network, how = job.network("policy"), _how(job)
    gpus = how["tensor_parallel"]
    engines = max(1, job.team.ranks // gpus)
    phases, needs = {"start": job.start(network), "generation": 0.0}, []
    for name, settings in job.settings["benchmarks"].items():
        count = job.rows(f"data:{name}", settings["split"]) * settings["samples"]
        batch = job.responses(count / engines, settings["max_tokens"])
        longest = batch.prompt + settings["max_tokens"]
        rows = min(batch.sequences, memory.INPROCESS_ROWS) * (batch.prompt + batch.response)
        need = _need(job, network, how, longest, rows)
        free = job.team.memory * how["gpu_memory"] * gpus - memory.whole(network, how["precision"])
        cache = memory.cache(network, how["precision"], rows) if how["engine"] == "inprocess" else max(free, 0.1)
        decoder = Decoder(network, job.hardware, how["precision"], gpus, GB * cache, how["engine"] == "inprocess")
        phases["generation"] += decoder.seconds(replace(batch, sequences=max(1.0, batch.sequences)))
        needs.append(need)
    return Estimate(phases, job.team, tuple(needs))


def _how(job: GpuJob) -> dict:
    """How this model is run where it answers: `sampling` of the model, or the engine that the stage names."""
    sampling = job.settings.get("sampling") or {}
    if not sampling and "engine" in job.settings:
        sampling = {"engine": job.settings["engine"]}
    own = getattr(job.config.models.get(model_of(job.artifact)), "sampling", None)
    return INPROCESS | (own.model_dump() if own else {}) | sampling


def _need(job: GpuJob, network: Network, how: dict, longest: float, rows: float) -> Need:
    """`rows` tokens of all responses in flight (inprocess); an engine of vLLM needs room for one that is `longest`."""
    name, precision, gpus = model_of(job.artifact), how["precision"], how["tensor_parallel"]
    parts = {"weights": memory.whole(network, precision, gpus)}
    if how["engine"] == "inprocess":
        cache = {"KV cache": memory.cache(network, precision, rows), "outside": job.hardware.overhead_gb}
        return Need(name, "sampling", parts | cache, ("sampling.engine: vllm", "sampling.precision: bfloat16"))
    parts["KV cache of one response"] = memory.cache(network, precision, longest) / gpus
    parts["pass"] = memory.prefill(network, precision, CHUNK) / gpus
    hints = ("a larger sampling.tensor_parallel", "a larger sampling.gpu_memory")
    return Need(name, "sampling", parts, hints, limit=how["gpu_memory"] * job.team.memory)
