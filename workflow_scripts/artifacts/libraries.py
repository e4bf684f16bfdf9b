"""The libraries of a stage: whether the installed ones are those of the lock file, and the large ones, loaded at once.

Half of what torch and transformers cost to import is Python's garbage collector, which walks again and again through a
million objects that all stay. So they are imported without it, and what they made is set aside for good (`gc.freeze`):
no later collection, nor the one at exit, walks through it.
"""

import ctypes
import gc
import importlib.metadata
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.fingerprint import stage_libraries

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
# What every use of them imports in the end; transformers alone is empty until it is asked for something.
LARGE = {"torch": "torch", "transformers": "transformers.modeling_utils"}


def check_libraries(name: str, config: dict, lock: Path) -> None:
    """Raises StageError where a library that the stage's code imports is not the one that the lock file pins."""
    for library, pinned in stage_libraries(name, config, lock).items():
        try:
            installed = importlib.metadata.version(library).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            raise StageError(f"{library} is not installed, {lock} pins {pinned}: install it") from None
        if installed != pinned.partition("+")[0]:
            raise StageError(
                f"{library} {installed} is installed, {lock} pins {pinned}: install it, or edit the lock file"
            )


def keep_freed_memory() -> None:
    """Have glibc keep what tensors give back, up to 256 MiB, instead of returning it to the system at once.

    Each step would otherwise get its pages of zeros anew: 3 to 10 % of the steps of a small model (measured). Elsewhere
    than with glibc nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
        mallopt(M_TRIM_THRESHOLD, 256 << 20)


def load_libraries(libraries: Iterable[str]) -> None:
    """Import those that are large, and are not there yet."""
    wanted = [module for library, module in LARGE.items() if library in libraries and module not in sys.modules]
    if not wanted:
        return
    keep_freed_memory()
    gc.disable()
    try:
        for module in wanted:
            import_module(module)
    finally:
        gc.freeze()
        gc.enable()
