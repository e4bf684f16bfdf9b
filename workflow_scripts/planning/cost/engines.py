"""Engines that generate, inprocess or vLLM: how fast one decodes and what it must hold."""

from workflow_scripts.planning.cost import memory
from workflow_scripts.planning.cost.estimate import GpuJob
from workflow_scripts.planning.cost.judging import CHUNK
from workflow_scripts.planning.cost.memory import GB
from workflow_scripts.planning.cost.networks import Network
from workflow_scripts.planning.cost.roofline import Batch, Decoder

# `rollout` of an algorithm and `sampling` of a model, as far as they say how tokens are generated
INPROCESS = {"engine": "inprocess", "precision": "float32", "tensor_parallel": 1, "gpu_memory": 0.9}


def in_training(settings: dict) -> dict:
    """The engine of a training, in the precision of the passes."""
    return INPROCESS | settings["rollout"] | {"precision": settings["update"]["precision"]}


def decoding(job: GpuJob, network: Network, how: dict, batch: Batch) -> float:
    """Seconds in which all engines of a job generate their parts of a batch."""
    gpus, vllm = how["tensor_parallel"], how["engine"] != "inprocess"
    own = batch.part(max(1, job.team.ranks // gpus))
    if vllm:
        free = gpus * how["gpu_memory"] * job.team.memory - memory.whole(network, how["precision"])
        room = max(free, one_response(network, how, batch))
    else:
        room = slots(job, network, how, own) * memory.cache(network, how["precision"], own.prompt + own.response)
    return Decoder(network, job.hardware, how["precision"], gpus, GB * room, eager=not vllm).seconds(own)


def slots(job: GpuJob, network: Network, how: dict, batch: Batch) -> float:
    """Responses that the engine inprocess decodes together."""
    fitting = memory.INPROCESS_CACHE * job.team.memory / one_response(network, how, batch)
    return max(1.0, min(batch.sequences, memory.INPROCESS_ROWS, fitting))


def in_flight(job: GpuJob, network: Network, how: dict, batch: Batch) -> float:
    """GB of keys and values that the engine inprocess sets aside: each of its slots has room for any response."""
    return slots(job, network, how, batch) * one_response(network, how, batch)


def one_response(network: Network, how: dict, batch: Batch) -> float:
    """GB of keys and values of one response that is as long as may be."""
    return memory.cache(network, how["precision"], batch.prompt + batch.limit)


def held_by_vllm(network: Network, how: dict, batch: Batch) -> dict[str, float]:
    """GB that the share of a vLLM engine on each of its GPUs must hold, at least."""
    gpus = how["tensor_parallel"]
    return {
        "weights": memory.whole(network, how["precision"], gpus),
        "KV cache of one response": one_response(network, how, batch) / gpus,
        "pass": memory.prefill(network, how["precision"], CHUNK) / gpus,
    }
