"""Which placement a job has: that of its stage, and laid over it what the placement says of a model in that stage."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from workflow_scripts.config.artifact import Artifact

if TYPE_CHECKING:
    from workflow_scripts.config.models import Config, Placement


def placement_of(config: "Config", stage: str, models: Collection[str] = ()) -> "Placement":
    """The placement of a stage's jobs that load these models.

    `STAGE:MODEL` is laid over `STAGE` for every job that loads the model, as what it trains, samples from or judges
    with; where a job loads several such models, in the order of the config.
    """
    from workflow_scripts.config.models import Placement

    settings: dict = {}
    for name, place in config.placement.items():
        if name == stage:
            settings = place.model_dump(exclude_unset=True) | settings
        elif name.partition(":")[0] == stage and name.partition(":")[2] in models:
            settings |= place.model_dump(exclude_unset=True)
    return Placement(**settings)


# stage -> the role of the model that its weights began as
_BEGAN_AS = {"train_policy": "policy", "distill_judge": "judge_base"}


def models_of(artifact: Artifact) -> set[str]:
    """The models of the config whose weights a job loads: they, or what was trained from them."""
    if artifact.stage == "prepare_model":
        return {artifact.config["model"]}
    inputs = artifact.inputs.values()
    return {_model(one) for one in inputs if one.stage == "prepare_model" or one.stage in _BEGAN_AS}


def _model(artifact: Artifact) -> str:
    while artifact.stage in _BEGAN_AS:
        artifact = artifact.inputs[_BEGAN_AS[artifact.stage]]
    return artifact.config["model"]
