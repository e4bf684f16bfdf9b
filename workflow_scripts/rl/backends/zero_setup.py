"""What ZeRO needs before it trains: DeepSpeed in a process group, its settings, and models in parts.

A model is built without weights and filled module by module: the first rank reads a module's tensors, DeepSpeed sends
them to all and leaves each rank its part. A rank so never holds more than one module whole. (transformers' own
`from_pretrained` under ZeRO-3 reads all files on every rank, and `zero.Init` around a constructor rounds the rotary
frequencies to bfloat16.)
"""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from workflow_scripts.models.loading import empty_model
from workflow_scripts.models.weights import Weights
from workflow_scripts.rl.settings import UpdateSettings

FOLDER = Path(__file__).resolve().parents[3] / "config" / "deepspeed"


def start() -> Any:
    """The DeepSpeed module, in a process group (of one, where no launcher has made any)."""
    os.environ.setdefault("DS_ACCELERATOR", "cuda" if torch.cuda.is_available() else "cpu")
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")  # one per call
    import deepspeed

    if not dist.is_initialized():
        kind = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(kind, store=dist.HashStore(), rank=0, world_size=1)
        os.environ.setdefault("LOCAL_RANK", "0")
    return deepspeed


def settings_of(update: UpdateSettings) -> dict[str, Any]:
    """DeepSpeed's configuration: the backend's file with what the run says."""
    config = json.loads((FOLDER / f"{update.backend}.json").read_text())
    config |= {"gradient_clipping": update.max_grad_norm, "bf16": {"enabled": update.precision == "bfloat16"}}
    waiting = {"device": "cpu", "pin_memory": torch.cuda.is_available()}
    kept = {"none": (), "optimizer": ("offload_optimizer",), "all": ("offload_optimizer", "offload_param")}
    config["zero_optimization"] |= dict.fromkeys(kept[update.offload], waiting)
    return config


def partition(path: Path, update: UpdateSettings) -> Any:
    """The model of a directory, spread over the ranks, in the precision of the passes.

    ValueError on all ranks if it is no model directory or lacks a tensor.
    """
    deepspeed, config = start(), settings_of(update)
    model = empty_model(path, update.precision)
    with Weights(path) as weights:
        weights.require({name: parameter.shape for name, parameter in model.named_parameters()})
        for prefix, module in model.named_modules():
            own = dict(module.named_parameters(prefix=prefix, recurse=False))
            if dist.get_rank() == 0:
                for name, parameter in own.items():
                    if not is_partitioned(parameter):  # a tied one has been filled under its first name
                        parameter.data.copy_(weights[name])
            if own:
                deepspeed.zero.Init(module=module, config_dict_or_path=config)
    return model


def is_partitioned(parameter: torch.nn.Parameter) -> bool:
    """Whether this rank holds only a part of it."""
    return hasattr(parameter, "ds_id")


def initialize(policy: torch.nn.Module, update: UpdateSettings, optimizer: Any = None) -> Any:
    """DeepSpeed's engine around a policy, to be trained by `optimizer` or, without one, left as it is.

    Where it casts a whole module to bfloat16 it casts the rotary frequencies too, which would turn far positions by
    whole radians: buffers stay as they were.
    """
    buffers = {name: buffer.clone() for name, buffer in policy.named_buffers()}
    engine = start().initialize(model=policy, optimizer=optimizer, config=settings_of(update))[0]
    for name, kept in buffers.items():
        module, _, key = name.rpartition(".")
        place = policy.get_submodule(module)
        setattr(place, key, kept.to(getattr(place, key).device))
    return engine
