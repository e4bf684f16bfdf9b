"""Fine-tune a model on examples as a config's `training` section says: epochs or steps, rate, backend, precision."""

import math
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.artifacts import Stage, StageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from workflow_scripts.models.sft import Example


def fine_tune(
    folder: Path,
    tokenizer: "PreTrainedTokenizerBase",
    examples: "list[Example]",
    training: dict[str, Any],
    seed: int,
    stage: Stage,
) -> dict[str, list]:
    """Train the model of `folder`, write it to the stage's model/, and return the columns of a TRAINING table.

    Collective on all ranks: when it returns, all may read what the first one has written. `training`: `steps`, or
    `epochs` over the examples; `batch`, `lr`, `warmup` (a share of the steps), `prompt_weight`, and the settings of the
    update that `UpdateSettings` has too. Raises StageError if model, backend and ranks do not fit.
    """
    from workflow_scripts.models.sft import BETAS, Schedule, fit
    from workflow_scripts.rl.backends import load_start, make_backend
    from workflow_scripts.rl.settings import UpdateSettings

    steps = training.get("steps") or training["epochs"] * math.ceil(len(examples) / training["batch"])
    schedule = Schedule(
        steps=steps,
        batch=training["batch"],
        lr=training["lr"],
        warmup=round(training["warmup"] * steps),
        seed=seed,
        prompt_weight=training.get("prompt_weight", 0.0),
        micro_batch_tokens=training["micro_batch_tokens"],
    )
    own = ("minibatches", "lr", "betas", "warmup")  # of the schedule, or fixed
    shared = {field.name for field in fields(UpdateSettings)} - {*own}
    kept = {name: value for name, value in training.items() if name in shared}
    update = UpdateSettings(1, training["lr"], betas=BETAS, **kept)
    try:
        backend = make_backend(load_start(folder, update), update, stage.ranks, rollout_copy=False)
    except ValueError as error:
        raise StageError(f"training: {error}") from None
    rows = fit(backend, examples, schedule, stage)
    backend.save(stage.out / "model", tokenizer)
    stage.ranks.share(None)
    return rows
