"""Fine-tune a model on examples as a config's `training` section says: epochs or steps, rate, backend, precision."""

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from workflow_scripts.artifacts import Stage, StageError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from workflow_scripts.models.sft import Example
    from workflow_scripts.rl.backends import Backend


def fine_tune(
    model: "PreTrainedModel", examples: "list[Example]", training: dict[str, Any], seed: int, stage: Stage
) -> "tuple[Backend, dict[str, list]]":
    """The backend with the trained model, and the columns of a TRAINING table. Collective on all ranks.

    `training`: `steps`, or `epochs` over the examples; `batch`, `lr`, `warmup` (a share of the steps), `prompt_weight`,
    and the settings of the update that `UpdateSettings` has too. Raises StageError if backend and ranks do not fit.
    """
    from workflow_scripts.models.sft import BETAS, Schedule, fit
    from workflow_scripts.rl.backends import make_backend
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
    try:
        backend = make_backend(model, UpdateSettings(1, training["lr"], betas=BETAS, **kept), stage.ranks)
    except ValueError as error:
        raise StageError(f"training: {error}") from None
    return backend, fit(backend, examples, schedule, stage)
