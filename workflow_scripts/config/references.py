"""Names that settings refer to must exist: each broken reference is named with its path and the allowed names."""

from itertools import product
from typing import TYPE_CHECKING

from workflow_scripts.config.base import expect
from workflow_scripts.config.placement_checks import check_placement

if TYPE_CHECKING:
    from workflow_scripts.config.data_models import Dataset
    from workflow_scripts.config.models import Config


def check_references(config: "Config") -> None:
    """Raises ValueError `path: 'name' is not one of ...` for the first reference that leads nowhere."""
    splits = [f"{name}.{split}" for name, dataset in config.datasets.items() for split in dataset.splits]
    expect("teacher", [config.teacher], config.models)
    expect("judge", [config.judge] if config.judge else [], config.judges)
    expect("validation.data", [config.validation.data], splits)
    dataset, split = config.validation.data.split(".")
    if (rows := config.datasets[dataset].splits[split].rows) and config.validation.questions > rows:
        raise ValueError(
            f"validation.questions: {config.validation.questions} exceeds the {rows} rows of {config.validation.data}"
        )
    expect("only", config.only or [], config.studies)
    _check_settings(config, splits)
    _check_studies(config, splits)
    _check_arms(config)
    check_placement(config)


def _check_settings(config: "Config", splits: list[str]) -> None:
    for name, dataset in config.datasets.items():
        expect(f"datasets.{name}.against", dataset.against, [other for other in config.datasets if other != name])
        if dataset.source.kind == "pairs":
            _check_pairs(f"datasets.{name}", dataset, config.datasets)
        if dataset.source.kind == "mixture":
            sources = {other: one.source.kind for other, one in config.datasets.items()}
            plain = [split for split in splits if sources[split.partition(".")[0]] != "mixture"]
            expect(f"datasets.{name}.source.parts", dataset.source.parts, plain)
            if dataset.against:
                raise ValueError(f"datasets.{name}.against: a mixture has the questions of its parts: say it there")
    for name, model in config.models.items():
        if model.source.kind == "scratch":
            expect(f"models.{name}.source.data", [model.source.data], config.datasets)
        elif model.source.kind == "finetuned":
            _check_finetuned(name, config, splits)
    for name, reward in config.rewards.items():
        if reward.kind == "judge":
            expect(f"rewards.{name}.judge", [reward.judge], config.judges)
        elif reward.kind == "teacher":
            expect(f"rewards.{name}.teacher", [reward.teacher], config.models)
    for name, exploration in config.explorations.items():
        path = f"explorations.{name}"
        expect(f"{path}.policy", [exploration.policy], config.models)
        expect(f"{path}.teacher", [exploration.teacher], config.models)
        expect(f"{path}.data", [exploration.data], splits)
        expect(f"{path}.algorithm", [exploration.algorithm], config.algorithms)
        expect(f"{path}.entropy", [exploration.entropy], config.entropy)
    for name, judge in config.judges.items():
        expect(f"judges.{name}.base", [judge.base], config.models)
        expect(f"judges.{name}.exploration", [judge.exploration], config.explorations)
        expect(f"judges.{name}.audit.compare", judge.audit.compare, config.models)
        if judge.audit.second_rater and judge.audit.second_rater.kind == "model":
            expect(f"judges.{name}.audit.second_rater.model", [judge.audit.second_rater.model], config.models)
    for name, benchmark in config.benchmarks.items():
        expect(f"benchmarks.{name}.data", [benchmark.data], splits)
        if "judge" in benchmark.graders and config.judge is None:
            raise ValueError(f"benchmarks.{name}.graders: judge grades, but no `judge:` says which")


TABLES = {"demonstrations": "demonstrations", "verdicts": "pairs", "references": "questions"}  # by objective


def _check_finetuned(name: str, config: "Config", splits: list[str]) -> None:
    path, source = f"models.{name}.source", config.models[name].source
    expect(f"{path}.base", [source.base], config.models)
    dataset, split = source.split
    expect(f"{path}.data", [dataset], config.datasets)
    expect(f"{path}.data", [f"{dataset}.{split}"], splits)
    wanted, table = TABLES[source.objective], config.datasets[dataset].table
    if table != wanted:
        raise ValueError(f"{path}.objective: {source.objective} is learnt from {wanted}, but {dataset} has {table}")
    chain = [name]
    while (model := config.models.get(chain[-1])) and model.source.kind == "finetuned":
        if model.source.base in chain:
            raise ValueError(f"{path}.base: {' -> '.join([*chain, model.source.base])} is a circle")
        chain.append(model.source.base)


def _check_pairs(path: str, dataset: "Dataset", datasets: "dict[str, Dataset]") -> None:
    expect(f"{path}.source.questions", dataset.source.questions, datasets)
    for other in dataset.source.questions:
        if datasets[other].table != "questions":
            raise ValueError(f"{path}.source.questions: {other!r} holds {datasets[other].table}, no questions")
        for name, split in dataset.splits.items():
            where = f"{path}.splits.{name}.source"
            expect(where, [split.source or name], datasets[other].splits)


def _check_studies(config: "Config", splits: list[str]) -> None:
    product_of = {"policies": config.models, "data": splits, "algorithms": config.algorithms}
    product_of |= {"rewards": config.rewards, "entropy": config.entropy}
    for name, study in config.studies.items():
        path = f"studies.{name}"
        for part, allowed in product_of.items():
            expect(f"{path}.{part}", getattr(study, part) or [], allowed)
            for number, further in enumerate(study.also):
                expect(f"{path}.also.{number}.{part}", getattr(further, part) or [], allowed)
        for part, allowed in (
            ("models", config.models),
            ("judges", config.judges),
            ("benchmarks", config.benchmarks),
        ):
            expect(f"{path}.{part}", getattr(study, part) or [], allowed)
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
