"""The GPUs of a node, split between ranks and model servers.

The launcher says how many are whose (config/placement.py): RANK_GPUS and SERVING_GPUS. Names are kept as the allocation
gave them: numbers, UUIDs or MIG instances.
"""

import os
from collections.abc import MutableMapping

from workflow_scripts.artifacts.errors import StageError

VISIBLE = "CUDA_VISIBLE_DEVICES"
SET_ASIDE = "SERVING_DEVICES"


def hide_serving_gpus(environment: MutableMapping[str, str] = os.environ) -> None:
    """Leave this process the GPUs of the ranks, before CUDA is asked for the first time.

    Raises StageError where the allocation has fewer GPUs than the placement says.
    """
    ranks, serving = (int(environment.get(name, 0)) for name in ("RANK_GPUS", "SERVING_GPUS"))
    if not serving:
        return
    if VISIBLE not in environment:  # a machine of one's own
        environment[VISIBLE] = ",".join(str(index) for index in range(ranks + serving))
    visible = _listed(environment, VISIBLE)
    if len(visible) < ranks + serving:
        raise StageError(
            f"placement: {ranks} GPUs for ranks and {serving} for servers, but {VISIBLE} has {len(visible)}"
        )
    environment[VISIBLE] = ",".join(visible[:ranks])
    environment[SET_ASIDE] = ",".join(visible[ranks : ranks + serving])


def serving_groups(tensor_parallel: int, environment: MutableMapping[str, str] = os.environ) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each server of this node: the GPUs set aside, else all, in tensor-parallel groups.

    [""] where none are named: one server, on what it finds. Raises StageError where the groups do not come out even.
    """
    devices = _listed(environment, SET_ASIDE) or _listed(environment, VISIBLE)
    if len(devices) % tensor_parallel:
        raise StageError(f"tensor_parallel: {tensor_parallel} does not divide the {len(devices)} GPUs for servers")
    groups = [devices[start : start + tensor_parallel] for start in range(0, len(devices), tensor_parallel)]
    return [",".join(group) for group in groups] or [""]


def _listed(environment: MutableMapping[str, str], name: str) -> list[str]:
    return [device for device in environment.get(name, "").split(",") if device]
