"""Checkpoints of a run: weights and optimiser state as safetensors, everything else as JSON.

A checkpoint is a folder that is written under a temporary name and renamed, so one that can be seen is complete. It
holds whole fp32 tensors by parameter name, so it does not depend on backend or number of ranks. No generator state is
kept, because every random number is a function of seed and step. Rollout tables grow with the run; they go into shards
beside the checkpoints, each written once.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.rl.backends import Backend, State

_PREFIX, _SHARDS = "step-", "rollouts"
FILE_BYTES = 2 << 30  # of one file of tensors: what a writer holds in memory


def save_checkpoint(folder: Path, step: int, backend: Backend, state: dict[str, Any], first: bool = True) -> None:
    """Write the checkpoint after rollout step `step`, then remove older ones. `state` is JSON.

    All ranks take part, since the backend gathers its tensors; the `first` one writes.
    """
    final = folder / f"{_PREFIX}{step:08d}"
    temporary = folder / f".tmp-{final.name}"
    if first:
        for leftover in folder.glob(".tmp-*"):
            shutil.rmtree(leftover)
        temporary.mkdir(parents=True)
    for number, tensors in enumerate(_files(backend.state())):
        if first:
            save_file(tensors, temporary / f"state-{number:05d}.safetensors")
    if not first:
        return
    sizes = {path.name: path.stat().st_size for path in sorted(temporary.iterdir())}
    (temporary / "state.json").write_text(
        json.dumps({"step": step, "updates": backend.updates, "files": sizes, **state})
    )
    shutil.rmtree(final, ignore_errors=True)
    temporary.rename(final)
    for older in _checkpoints(folder):
        if older != final:
            shutil.rmtree(older)


def load_checkpoint(folder: Path, backend: Backend) -> dict[str, Any] | None:
    """Restore the newest complete checkpoint into `backend` and return its state; None without one.

    Raises StageError where its files are not those that were written.
    """
    found = _checkpoints(folder)
    if not found:
        return None
    state = json.loads((found[-1] / "state.json").read_text())
    for name, size in state["files"].items():
        if not (found[-1] / name).is_file() or (found[-1] / name).stat().st_size != size:
            raise StageError(f"{found[-1] / name}: the checkpoint is damaged; remove its folder to begin anew")
    backend.load(_read(found[-1]), state["updates"])
    return state


def save_shard(folder: Path, step: int, columns: dict[str, list]) -> None:
    """Write the rollout rows since the last shard, the last of them of rollout step `step`."""
    (folder / _SHARDS).mkdir(parents=True, exist_ok=True)
    final = folder / _SHARDS / f"{step:08d}.json"
    temporary = final.with_suffix(".tmp")
    temporary.write_text(json.dumps(columns))
    temporary.rename(final)


def load_shards(folder: Path, step: int) -> dict[str, list]:
    """All rollout rows up to rollout step `step`; a shard beyond it belongs to steps that will run again."""
    merged: dict[str, list] = {}
    for path in sorted((folder / _SHARDS).glob("*.json")):
        if int(path.stem) <= step:
            for name, values in json.loads(path.read_text()).items():
                merged.setdefault(name, []).extend(values)
    return merged


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"{_PREFIX}*") if (path / "state.json").is_file())


def _files(state: Iterator[State]) -> Iterator[dict[str, torch.Tensor]]:
    """Tensors as `name|key`, so many at a time as a file holds."""
    tensors: dict[str, torch.Tensor] = {}
    for name, values in state:
        tensors |= {f"{name}|{key}": value for key, value in values.items()}
        if sum(tensor.nbytes for tensor in tensors.values()) >= FILE_BYTES:
            yield tensors
            tensors = {}
    if tensors:
        yield tensors


def _read(folder: Path) -> Iterator[State]:
    for path in sorted(folder.glob("state-*.safetensors")):
        found: dict[str, dict[str, torch.Tensor]] = {}
        for key, tensor in load_file(path).items():
            name, _, part = key.rpartition("|")
            found.setdefault(name, {})[part] = tensor
        yield from found.items()
