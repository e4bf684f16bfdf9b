"""Names that settings refer to must exist: each broken reference is named with its path and the allowed names."""

from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workflow_scripts.config.models import Config

STAGES = (
    "sample_data",
    "prepare_model",
    "explore_policy",
    "label_rollouts",
    "distill_judge",
    "audit_judge",
    "train_policy",
    "sample_answers",
    "grade_answers",
    "fit_entropy_law",
    "compare_results",
    "render_report",
)
RANKED = ("explore_policy", "distill_judge", "train_policy", "sample_answers")  # run by one process per GPU
WITH_DEEPSPEED = ("deepspeed", "vllm-cpu", "gpu")  # environments that hold the library
WITH_VLLM = ("vllm-cpu", "gpu")


def check_references(config: "Config") -> None:
    """Raises ValueError `path: 'name' is not one of ...` for the first reference that leads nowhere."""
    splits = [f"{name}.{split}" for name, dataset in config.datasets.items() for split in dataset.splits]
    _expect("teacher", [config.teacher], config.models)
    _expect("judge", [config.judge] if config.judge else [], config.judges)
    _expect("validation.data", [config.validation.data], splits)
    dataset, split = config.validation.data.split(".")
    if (rows := config.datasets[dataset].splits[split].rows) and config.validation.questions > rows:
        raise ValueError(
            f"validation.questions: {config.validation.questions} exceeds the {rows} rows of {config.validation.data}"
        )
    _expect("placement", config.placement, STAGES)
    _expect("only", config.only or [], config.studies)
    for stage, place in config.placement.items():
        if place.nodes > 1 and stage not in RANKED:
            raise ValueError(f"placement.{stage}.nodes: {place.nodes}: on several nodes run only {', '.join(RANKED)}")
    _check_settings(config, splits)
    _check_studies(config, splits)
    _check_arms(config)
    _check_backends(config)
    _check_engines(config)


def _check_settings(config: "Config", splits: list[str]) -> None:
    for name, dataset in config.datasets.items():
        _expect(f"datasets.{name}.against", dataset.against, [other for other in config.datasets if other != name])
    for name, model in config.models.items():
        if model.source.kind == "scratch":
            _expect(f"models.{name}.source.data", [model.source.data], config.datasets)
    for name, reward in config.rewards.items():
        if reward.kind == "judge":
            _expect(f"rewards.{name}.judge", [reward.judge], config.judges)
        elif reward.kind == "teacher":
            _expect(f"rewards.{name}.teacher", [reward.teacher], config.models)
    for name, exploration in config.explorations.items():
        path = f"explorations.{name}"
        _expect(f"{path}.policy", [exploration.policy], config.models)
        _expect(f"{path}.teacher", [exploration.teacher], config.models)
        _expect(f"{path}.data", [exploration.data], splits)
        _expect(f"{path}.algorithm", [exploration.algorithm], config.algorithms)
        _expect(f"{path}.entropy", [exploration.entropy], config.entropy)
    for name, judge in config.judges.items():
        _expect(f"judges.{name}.base", [judge.base], config.models)
        _expect(f"judges.{name}.exploration", [judge.exploration], config.explorations)
        _expect(f"judges.{name}.audit.compare", judge.audit.compare, config.models)
        if judge.audit.second_rater and judge.audit.second_rater.kind == "model":
            _expect(f"judges.{name}.audit.second_rater.model", [judge.audit.second_rater.model], config.models)
    for name, benchmark in config.benchmarks.items():
        _expect(f"benchmarks.{name}.data", [benchmark.data], splits)
        if "judge" in benchmark.graders and config.judge is None:
            raise ValueError(f"benchmarks.{name}.graders: judge grades, but no `judge:` says which")


def _check_studies(config: "Config", splits: list[str]) -> None:
    for name, study in config.studies.items():
        for part, allowed in (
            ("policies", config.models),
            ("data", splits),
            ("algorithms", config.algorithms),
            ("rewards", config.rewards),
            ("entropy", config.entropy),
            ("benchmarks", config.benchmarks),
        ):
            _expect(f"studies.{name}.{part}", getattr(study, part) or [], allowed)


def _check_arms(config: "Config") -> None:
    for name, study in config.studies.items():
        for algorithm, split in product(study.algorithms, study.data):
            _enough(f"studies.{name}.data", config, split, f"algorithms.{algorithm}.rollout.prompts", algorithm)
        for algorithm, control in product(study.algorithms, study.entropy):
            _check_arm(config, algorithm, control)
    for exploration in config.explorations.values():
        path = f"algorithms.{exploration.algorithm}.rollout.prompts"
        _enough("explorations", config, exploration.data, path, exploration.algorithm)
        _check_arm(config, exploration.algorithm, exploration.entropy)


def _check_arm(config: "Config", algorithm: str, control: str) -> None:
    update, entropy = config.algorithms[algorithm].update, config.entropy[control]
    coefficient = update.entropy_coef if entropy.entropy_coef is None else entropy.entropy_coef
    target = update.entropy_target if entropy.entropy_target is None else entropy.entropy_target
    if target is not None and coefficient > update.entropy_max:
        raise ValueError(
            f"algorithms.{algorithm}.update.entropy_max: {update.entropy_max} is below the entropy_coef {coefficient} "
            f"with which entropy.{control} starts"
        )


def _enough(where: str, config: "Config", split: str, path: str, algorithm: str) -> None:
    dataset, name = split.split(".")
    rows, prompts = config.datasets[dataset].splits[name].rows, config.algorithms[algorithm].rollout.prompts
    if rows is not None and prompts > rows:
        raise ValueError(f"{path}: {prompts} exceeds the {rows} rows of {split}, on which {where} trains")


def _check_backends(config: "Config") -> None:
    """Several ranks need a backend that shares the work, which needs its library in the environment."""
    policies = {name for study in config.studies.values() for name in study.algorithms}
    explorers = {exploration.algorithm for exploration in config.explorations.values()}
    for stage, path, training in (
        *(("train_policy", f"algorithms.{name}.update", config.algorithms[name].update) for name in sorted(policies)),
        *(
            ("explore_policy", f"algorithms.{name}.update", config.algorithms[name].update)
            for name in sorted(explorers)
        ),
        *(("distill_judge", f"judges.{name}.training", judge.training) for name, judge in config.judges.items()),
    ):
        place = config.placement.get(stage)
        ranks = place.ranks if place else 1
        if training.backend == "single" and ranks > 1:
            raise ValueError(
                f"{path}.backend: 'single' is one process, but placement.{stage} starts {ranks}: use zero2 or zero3"
            )
        if training.backend != "single" and config.environment not in WITH_DEEPSPEED:
            raise ValueError(f"{path}.backend: {training.backend!r} needs environment: {' or '.join(WITH_DEEPSPEED)}")


def _check_engines(config: "Config") -> None:
    """vLLM in the ranks' own processes needs its library, and whole groups of GPUs on every node."""
    policies = {name for study in config.studies.values() for name in study.algorithms}
    explorers = {exploration.algorithm for exploration in config.explorations.values()}
    for stage, path, engine in (
        *(("train_policy", f"algorithms.{name}.rollout", config.algorithms[name].rollout) for name in sorted(policies)),
        *(
            ("explore_policy", f"algorithms.{name}.rollout", config.algorithms[name].rollout)
            for name in sorted(explorers)
        ),
        *(("sample_answers", f"models.{name}.sampling", model.sampling) for name, model in config.models.items()),
    ):
        if engine.engine == "inprocess":
            continue
        if config.environment not in WITH_VLLM:
            raise ValueError(f"{path}.engine: {engine.engine!r} needs environment: {' or '.join(WITH_VLLM)}")
        place = config.placement.get(stage)
        here = place.ranks // place.nodes if place else 1
        if here % engine.tensor_parallel:
            raise ValueError(
                f"{path}.tensor_parallel: {engine.tensor_parallel} does not divide the {here} ranks of a node that "
                f"placement.{stage} starts"
            )


def _expect(path: str, names: Iterable[str], allowed: Iterable[str]) -> None:
    for name in names:
        if name not in allowed:
            raise ValueError(f"{path}: {name!r} is not one of {', '.join(sorted(allowed)) or '(none)'}")
