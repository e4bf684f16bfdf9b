"""Weights as safetensors files, tensor by tensor: for models that no process holds whole."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

FILE_BYTES = 4 << 30  # of one file: what a writer holds in memory


class Weights(contextlib.ExitStack):
    """The tensors of a model directory by name; only what is read is in memory. ValueError names a damaged file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._files = Path(path), {}
        for file in sorted(self._path.glob("*.safetensors")):
            try:
                handle = self.enter_context(safe_open(file, framework="pt"))
            except SafetensorError as error:
                raise ValueError(f"{file} is damaged: {error}") from None
            self._files |= dict.fromkeys(handle.keys(), handle)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._files[name].get_tensor(name)

    def require(self, shapes: dict[str, torch.Size]) -> None:
        """ValueError names the first tensor that is missing or has another shape."""
        for name, shape in shapes.items():
            if name not in self._files:
                raise ValueError(f"{self._path}: no safetensors file holds {name}")
            found = self._files[name].get_slice(name).get_shape()
            if found != list(shape):
                raise ValueError(f"{self._path}: {name} has the shape {found}, config.json asks for {list(shape)}")


def write_weights(weights: Iterator[tuple[str, torch.Tensor]], path: Path, write: bool = True) -> None:
    """Write tensors as they come, as `from_pretrained` reads them: one file, or several with an index.

    Without `write` they are only drawn, as a collective iterator wants.
    """
    files: list[Path] = []
    held: dict[str, torch.Tensor] = {}
    index: dict[str, Path] = {}

    def flush() -> None:
        files.append(path / f"part-{len(files):05d}.safetensors")
        save_file(held, files[-1], metadata={"format": "pt"})
        index.update(dict.fromkeys(held, files[-1]))
        held.clear()

    total = 0
    for name, tensor in weights:
        if write:
            held[name] = tensor.detach().to("cpu", copy=True).contiguous()  # the next one may take its place
            total += held[name].nbytes
            if sum(kept.nbytes for kept in held.values()) >= FILE_BYTES:
                flush()
    if write:
        if held:
            flush()
        _name_files(path, files, index, total)


def _name_files(path: Path, files: list[Path], index: dict[str, Path], total: int) -> None:
    """Give the files the names that Hugging Face's readers look for, which tell how many there are."""
    if len(files) == 1:
        files[0].rename(path / "model.safetensors")
        return
    names = {file: f"model-{number:05d}-of-{len(files):05d}.safetensors" for number, file in enumerate(files, 1)}
    for file, name in names.items():
        file.rename(path / name)
    content: dict[str, Any] = {
        "metadata": {"total_size": total},
        "weight_map": {tensor: names[file] for tensor, file in index.items()},
    }
    (path / "model.safetensors.index.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
