"""Checkpoints of a run: weights and optimiser state as safetensors, everything else as JSON.

A checkpoint is a folder that is written under a temporary name and renamed, so one that can be seen is complete. No
generator state is kept, because every random number is a function of seed and step. Rollout tables grow with the run;
they go into shards beside the checkpoints, each written once.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

_PREFIX, _SHARDS = "step-", "rollouts"


def save_checkpoint(folder: Path, step: int, model: Any, optimizer: Any, state: dict[str, Any]) -> Path:
    """Write the checkpoint after rollout step `step`, then remove older ones. `state` is JSON."""
    final = folder / f"{_PREFIX}{step:08d}"
    temporary = folder / f".tmp-{final.name}"
    for leftover in folder.glob(".tmp-*"):
        shutil.rmtree(leftover)
    temporary.mkdir(parents=True)
    weights = {name: parameter.detach().contiguous() for name, parameter in model.named_parameters()}
    save_file(weights, temporary / "model.safetensors")
    save_file(_optimizer_tensors(model, optimizer), temporary / "optimizer.safetensors")
    (temporary / "state.json").write_text(json.dumps({"step": step, **state}))
    shutil.rmtree(final, ignore_errors=True)
    temporary.rename(final)
    for older in _checkpoints(folder):
        if older != final:
            shutil.rmtree(older)
    return final


def load_checkpoint(folder: Path, model: Any, optimizer: Any) -> dict[str, Any] | None:
    """Restore the newest complete checkpoint into `model` and `optimizer` and return its state; None without one."""
    found = _checkpoints(folder)
    if not found:
        return None
    weights = load_file(found[-1] / "model.safetensors")
    tensors = load_file(found[-1] / "optimizer.safetensors")
    for name, parameter in model.named_parameters():
        parameter.data.copy_(weights[name])
        moments = {key.rpartition("|")[2]: value for key, value in tensors.items() if key.rpartition("|")[0] == name}
        if moments:
            optimizer.state[parameter] = moments
    return json.loads((found[-1] / "state.json").read_text())


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


def _optimizer_tensors(model: Any, optimizer: Any) -> dict[str, Any]:
    return {
        f"{name}|{key}": value.contiguous()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }
