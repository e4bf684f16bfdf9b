"""What the two RL stages share: a trainer on the stage's inputs, and the graders that only watch."""

from collections.abc import Callable, Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from workflow_scripts.artifacts import Stage, StageError
from workflow_scripts.artifacts.schemas import QUESTIONS
from workflow_scripts.devices import own_device
from workflow_scripts.models.loading import load_model, load_tokenizer
from workflow_scripts.rewards import Reward, make_reward
from workflow_scripts.rl.backends import load_start
from workflow_scripts.rl.rollout import Questions
from workflow_scripts.rl.settings import Settings
from workflow_scripts.rl.trainer import Trainer
from workflow_scripts.rl.validation import Validator


def make_trainer(stage: Stage, keep_steps: Callable[[int], Collection[int]]) -> tuple[Trainer, Any]:
    """The trainer of a stage and its tokenizer, on the policy that the stage reads.

    `keep_steps` maps the number of steps to those whose rollouts are kept. Raises StageError with the one line of what
    does not fit.
    """
    try:
        settings = Settings.from_config(stage.config)
        source = stage.path("policy", "model")
        tokenizer, split = load_tokenizer(source), stage.config["split"]
        trainer = Trainer(
            model=load_start(source, settings.update),
            tokenizer=tokenizer,
            questions=read_questions(stage, split, tokenizer),
            settings=settings,
            reward=make_reward(stage.config["reward"], stage),
            stage=stage,
            monitors=read_monitors(stage, split),
            validator=_validator(stage, settings, tokenizer),
            reference=_reference(source, settings),
            keep_steps=keep_steps(settings.steps),
        )
    except ValueError as error:
        raise StageError(str(error)) from None
    return trainer, tokenizer


def _reference(source: Path, settings: Settings) -> Any:
    """The starting policy: whole where it is sampled from, else as the backend holds models; None where unused."""
    if settings.rollout.responses == "start":
        return load_model(source).to(own_device())
    return load_start(source, settings.update) if settings.needs_reference else None


def _validator(stage: Stage, settings: Settings, tokenizer: Any) -> Validator | None:
    if settings.validation is None:
        return None
    split, role = settings.validation.split, "validation" if "validation" in stage.inputs else "data"
    graders = read_monitors(stage, split, role, grading=settings.validation.grading)
    return Validator(
        read_questions(stage, split, tokenizer, role),
        settings.validation,
        max_tokens=settings.rollout.max_tokens,
        rule=graders["rule"],
        truth=graders.get("truth"),
        budget=settings.update.micro_batch_tokens,
        ranks=stage.ranks,
    )


def read_questions(stage: Stage, split: str, tokenizer: Any, role: str = "data") -> Questions:
    """The questions of a split of the stage's data, or of its validation data."""
    table = stage.read(role, f"{split}.parquet", QUESTIONS)
    return Questions(table.to_pydict(), tokenizer, stage.config["template"])


def read_monitors(stage: Stage, split: str, role: str = "data", *, grading: str | None = None) -> dict[str, Reward]:
    """Graders of a split that are measured and never trained on: those that the config names, by name.

    `grading`: how the rule reads the answers of the split (math or text); None: as those of the training data.
    """

    def read(asked: str, file: str, schema: pa.Schema) -> pa.Table:
        return stage.read(role if asked == "data" else asked, file, schema)

    view = SimpleNamespace(config={**stage.config, "split": split}, read=read, path=stage.path)
    rule = {"kind": "rule", "rule": "verify"} | ({"grading": grading} if grading else {})
    settings = {"rule": rule, "truth": {"kind": "truth"}}
    return {name: make_reward(settings[name], view) for name in stage.config["monitors"]}
