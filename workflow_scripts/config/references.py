"""Names that settings refer to must exist: each broken reference is named with its path and the allowed names."""

from collections.abc import Iterable, Iterator
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
RANKED = ("explore_policy", "distill_judge", "train_policy")  # their work is shared by one process per GPU


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
    _check_placement(config)
    _expect("only", config.only or [], config.studies)
    _check_settings(config, splits)
    _check_studies(config, splits)
    _check_arms(config)
    _check_backends(config)


def _check_placement(config: "Config") -> None:
    for name, place in config.placement.items():
        stage, colon, model = name.partition(":")
        _expect("placement", [stage], STAGES)
        _expect(f"placement.{name}", [model] if colon else [], config.models)
        if place.nodes > 1 and stage not in RANKED:
            raise ValueError(f"placement.{name}.nodes: {place.nodes}: on several nodes run only {', '.join(RANKED)}")


def _check_settings(config: "Config", splits: list[str]) -> None:
    for name, dataset in config.datasets.items():
        _expect(f"datasets.{name}.against", dataset.against, [other for other in config.datasets if other != name])
        if dataset.source.kind == "mixture":
            sources = {other: one.source.kind for other, one in config.datasets.items()}
            plain = [split for split in splits if sources[split.partition(".")[0]] != "mixture"]
            _expect(f"datasets.{name}.source.parts", dataset.source.parts, plain)
            if dataset.against:
                raise ValueError(f"datasets.{name}.against: a mixture has the questions of its parts: say it there")
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
    product_of = {"policies": config.models, "data": splits, "algorithms": config.algorithms}
    product_of |= {"rewards": config.rewards, "entropy": config.entropy}
    for name, study in config.studies.items():
        path = f"studies.{name}"
        for part, allowed in product_of.items():
            _expect(f"{path}.{part}", getattr(study, part) or [], allowed)
            for number, further in enumerate(study.also):
                _expect(f"{path}.also.{number}.{part}", getattr(further, part) or [], allowed)
        for part, allowed in (
            ("models", config.models),
            ("judges", config.judges),
            ("benchmarks", config.benchmarks),
        ):
            _expect(f"{path}.{part}", getattr(study, part) or [], allowed)
        if study.models and study.benchmarks == []:
            raise ValueError(f"{path}.models: {', '.join(study.models)}: there are no benchmarks to evaluate them on")


def _check_arms(config: "Config") -> None:
    for name, part in ((name, part) for name, study in config.studies.items() for part in study.products):
        for algorithm, split in product(part.algorithms, part.data):
            _enough(f"studies.{name}.data", config, split, f"algorithms.{algorithm}.rollout.prompts", algorithm)
        for algorithm, control in product(part.algorithms, part.entropy):
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
    from workflow_scripts.config.placed import placement_of

    updates = {name: (f"algorithms.{name}.update", one.update) for name, one in config.algorithms.items()}
    for stage, models, (path, training) in (
        *((stage, models, updates[algorithm]) for stage, models, algorithm in _rl(config)),
        *(("distill_judge", {j.base}, (f"judges.{name}.training", j.training)) for name, j in config.judges.items()),
    ):
        ranks = placement_of(config, stage, models).ranks
        if training.backend == "single" and ranks > 1:
            raise ValueError(
                f"{path}.backend: 'single' is one process, but placement.{stage} starts {ranks}: use zero2 or zero3"
            )
        if training.backend != "single" and config.environment != "deepspeed":
            raise ValueError(f"{path}.backend: {training.backend!r} needs environment: deepspeed")


def _rl(config: "Config") -> Iterator[tuple[str, set[str], str]]:
    """(stage, models that a job loads, algorithm) of all jobs that train by reinforcement, equal ones once."""
    trained = {
        (policy, _judging(config, reward), algorithm)
        for study in config.studies.values()
        for part in study.products
        for policy, reward, algorithm in product(part.policies, part.rewards, part.algorithms)
    }
    yield from (("train_policy", {policy, judge}, algorithm) for policy, judge, algorithm in sorted(trained))
    yield from (("explore_policy", {one.policy, one.teacher}, one.algorithm) for one in config.explorations.values())


def _judging(config: "Config", name: str) -> str:
    """The model that gives a reward, as it was before any distillation; empty for a rule."""
    reward = config.rewards[name]
    if reward.kind == "judge":
        return config.judges[reward.judge].base
    return reward.teacher if reward.kind == "teacher" else ""


def _expect(path: str, names: Iterable[str], allowed: Iterable[str]) -> None:
    for name in names:
        if name not in allowed:
            raise ValueError(f"{path}: {name!r} is not one of {', '.join(sorted(allowed)) or '(none)'}")
