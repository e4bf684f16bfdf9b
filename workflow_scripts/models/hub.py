"""A model of the Hugging Face hub, from its download: checked, and handed on without a copy."""

import json
from pathlib import Path
from typing import Any

from workflow_scripts.artifacts import Stage
from workflow_scripts.hub import SNAPSHOT

INDEX = "model.safetensors.index.json"


def prepare(stage: Stage, source: dict[str, Any], seed: int) -> None:
    """Link the downloaded snapshot of `source["repo"]` to model/; ValueError if it is not a whole model directory."""
    snapshot = stage.path("download", SNAPSHOT)
    for name in stage.files("download"):
        file = Path(name).relative_to(SNAPSHOT)
        stage.link(snapshot / file, str(Path("model") / file))
    check(stage.out / "model", source["repo"])


def check(folder: Path, repo: str) -> None:
    """Raise ValueError where config, tokenizer or a part of the weights is missing, or weights are no safetensors."""
    from safetensors import SafetensorError, safe_open

    weights = {path.name for path in folder.glob("*.safetensors")}
    needed = {"config.json", "tokenizer.json"}
    if (folder / INDEX).is_file():
        needed |= set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
    if missing := sorted(name for name in needed if not (folder / name).is_file()):
        raise ValueError(f"{repo} has no {missing[0]}")
    for name in sorted(weights):
        try:
            with safe_open(folder / name, framework="np"):  # reads the header, which names all tensors and their places
                pass
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{repo}: {name} is not a safetensors file ({str(error).splitlines()[0]})") from None
