"""The stage contract: keys, fingerprints, manifests, work directories, publish and restore (one sitting to read).

Names are imported where they are asked for: the graph of a config needs no Arrow.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Stage": "stage",
    "StageError": "errors",
    "read_json": "manifest",
    "read_provenance": "provenance",
    "run_stage": "stage",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
