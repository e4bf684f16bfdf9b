"""Checkpoints of a run: weights and optimiser state as safetensors, everything else as JSON.

A checkpoint is a folder that is written under a temporary name and renamed, so one that can be seen is complete. It
holds whole fp32 tensors by parameter name, so it does not depend on backend or number of ranks. No generator state is
kept, because every random number is a function of seed and step. Rollout tables grow with the run; they go into shards
beside the checkpoints, each written once.

A parameter costs 12 bytes (weight and two moments): 91 GB for a 7B model, 393 GB for a 32B one, and twice that while a
newer checkpoint is written beside the older one. The ranks take turns in writing the files. No rank holds more than one
gathered parameter and the file it writes; in reading, none touches more than its parts of the tensors.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.ranks import Ranks
from workflow_scripts.rl.backends import Backend, State

_PREFIX, _SHARDS = "step-", "rollouts"
FILE_BYTES = 2 << 30  # of one file of tensors: what a writer holds in memory


def save_checkpoint(
    folder: Path, step: int, backend: Backend, state: dict[str, Any], ranks: Ranks | None = None
) -> None:
    """Write the checkpoint after rollout step `step`, then remove older ones. `state` is JSON.

    All ranks take part, since the backend gathers its tensors; the first one makes it visible when all have written.
    """
    ranks = ranks or Ranks()
    final = folder / f"{_PREFIX}{step:08d}"
    temporary = folder / f".tmp-{final.name}"
    if ranks.first:
        for leftover in folder.glob(".tmp-*"):
            shutil.rmtree(leftover)
        temporary.mkdir(parents=True)
    ranks.share(None)
    sizes: dict[str, int] = {}
    for number, tensors in _files(backend.state(), ranks):
        file = temporary / f"state-{number:05d}.safetensors"
        save_file(tensors, file)
        sizes[file.name] = file.stat().st_size
    sizes = {name: size for own in ranks.gather(sizes) for name, size in own.items()}
    if not ranks.first:
        return
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
    backend.load(_Saved(found[-1]), state["updates"])
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


def _files(state: Iterator[State], ranks: Ranks) -> Iterator[tuple[int, dict[str, torch.Tensor]]]:
    """`(number, tensors)` of the files that this rank writes, the tensors as `name|key` on the CPU."""
    number, size, tensors = 0, 0, {}
    for name, values in state:
        size += sum(value.nbytes for value in values.values())
        if number % ranks.world == ranks.rank:
            tensors |= {f"{name}|{key}": value.cpu().contiguous() for key, value in values.items()}
        if size >= FILE_BYTES:
            if tensors:
                yield number, tensors
            number, size, tensors = number + 1, 0, {}
    if tensors:
        yield number, tensors


class _Saved(Iterable[State]):
    """The tensors of a checkpoint, mapped into memory: a reader pays for what it touches."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __iter__(self) -> Iterator[State]:
        for path in sorted(self._folder.glob("state-*.safetensors")):
            with safe_open(path, framework="pt") as file:
                names: dict[str, list[str]] = {}
                for key in file.keys():  # noqa: SIM118  (no mapping)
                    name, _, part = key.rpartition("|")
                    names.setdefault(name, []).append(part)
                for name, parts in names.items():
                    yield name, {part: file.get_tensor(f"{name}|{part}") for part in parts}
