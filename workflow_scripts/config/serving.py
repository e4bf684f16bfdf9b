"""Which stages ask a model server (`judging.engine: served`), and whether their placement has room for it."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from workflow_scripts.config.placed import placement_of

if TYPE_CHECKING:
    from workflow_scripts.config.models import Config, Placement

SERVED = "served"


def check_serving(config: "Config", ranked: Collection[str]) -> None:
    """Raises ValueError `path: ...` where servers have no GPUs, or share them with a training (a `ranked` stage)."""
    for name in config.placement:
        stage, _, model = name.partition(":")
        place = placement_of(config, stage, [model])
        if stage in ranked and place.gpus and not place.rank_gpus:
            raise ValueError(
                f"placement.{name}.serving_gpus: {place.serving_gpus} of gpus: {place.gpus} leaves no GPU for the "
                "training: set aside fewer, or serving_nodes"
            )
    for stage, model in judging_models(config):
        judging = config.models[model].judging
        if judging.engine == SERVED:
            place = placement_of(config, stage, [model])
            _check(stage, place, f"models.{model}.judging", judging.tensor_parallel, stage in ranked)


def _check(stage: str, place: "Placement", path: str, tensor_parallel: int, trains: bool) -> None:
    if not place.gpus:
        return
    if trains and not (place.serving_gpus or place.serving_nodes):
        raise ValueError(
            f"{path}.engine: served: would share the GPUs of placement.{stage} with the training: set serving_gpus "
            "(of each node), or serving_nodes, there"
        )
    gpus = place.serving_gpus or place.gpus
    if gpus % tensor_parallel:
        raise ValueError(
            f"{path}.tensor_parallel: {tensor_parallel} does not divide the {gpus} GPUs per node that "
            f"placement.{stage} has for servers"
        )


def judging_models(config: "Config") -> Iterator[tuple[str, str]]:
    """(stage, model) of every model that judges in a stage."""
    for exploration in config.explorations.values():
        yield "explore_policy", exploration.teacher
        yield "label_rollouts", exploration.teacher
    for name in sorted({name for study in config.studies.values() for name in study.every("rewards")}):
        if model := config.rewarding_model(name):
            yield "train_policy", model
    for judge in config.judges.values():
        yield "audit_judge", config.explorations[judge.exploration].teacher
        yield "audit_judge", judge.base
        yield from (("audit_judge", model) for model in judge.audit.compare)
        if judge.audit.second_rater and judge.audit.second_rater.kind == "model":
            yield "audit_judge", judge.audit.second_rater.model
    graders = {grader for benchmark in config.benchmarks.values() for grader in benchmark.graders}
    if "teacher" in graders:
        yield "grade_answers", config.teacher
    if "judge" in graders:
        yield "grade_answers", config.judges[config.judge].base


def asks_server(settings: Any) -> bool:
    """Whether the config of an artifact, or a part of it, names the engine `served`."""
    if isinstance(settings, dict):
        return settings.get("engine") == SERVED or any(asks_server(value) for value in settings.values())
    return isinstance(settings, list | tuple) and any(asks_server(value) for value in settings)
