"""Names that settings refer to must exist: each broken reference is named with its path and the allowed names."""

from collections.abc import Iterable
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


def check_references(config: "Config") -> None:
    """Raises ValueError `path: 'name' is not one of ...` for the first reference that leads nowhere."""
    splits = [f"{name}.{split}" for name, dataset in config.datasets.items() for split in dataset.splits]
    _expect("teacher", [config.teacher], config.models)
    _expect("validation.data", [config.validation.data], splits)
    _expect("placement", config.placement, STAGES)
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
    for name, benchmark in config.benchmarks.items():
        _expect(f"benchmarks.{name}.data", [benchmark.data], splits)
    for name, study in config.studies.items():
        for part, allowed in (
            ("policies", config.models),
            ("data", splits),
            ("algorithms", config.algorithms),
            ("rewards", config.rewards),
            ("entropy", config.entropy),
        ):
            _expect(f"studies.{name}.{part}", getattr(study, part), allowed)
    for name, algorithm in config.algorithms.items():
        responses, parts = algorithm.rollout.prompts * algorithm.rollout.samples, algorithm.update.minibatches
        if responses % parts:
            raise ValueError(
                f"algorithms.{name}.update.minibatches: {parts} does not divide the {responses} responses of a step"
            )


def _expect(path: str, names: Iterable[str], allowed: Iterable[str]) -> None:
    for name in names:
        if name not in allowed:
            raise ValueError(f"{path}: {name!r} is not one of {', '.join(sorted(allowed)) or '(none)'}")
