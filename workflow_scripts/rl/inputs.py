"""What the two RL stages read alike: settings, questions, and the graders that only watch."""

from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from workflow_scripts.artifacts import Stage, StageError
from workflow_scripts.artifacts.schemas import QUESTIONS
from workflow_scripts.rewards import Reward, make_reward
from workflow_scripts.rl.rollout import Questions
from workflow_scripts.rl.settings import Settings


def read_settings(stage: Stage) -> Settings:
    """The stage's settings. Raises StageError with the one line of what does not fit."""
    try:
        return Settings.from_config(stage.config)
    except ValueError as error:
        raise StageError(str(error)) from None


def read_questions(stage: Stage, split: str, tokenizer: Any, role: str = "data") -> Questions:
    """The questions of a split of the stage's data, or of its validation data."""
    table = stage.read(role, f"{split}.parquet", QUESTIONS)
    return Questions(table.to_pydict(), tokenizer, stage.config["template"])


def read_monitors(stage: Stage, split: str, role: str = "data") -> dict[str, Reward]:
    """Graders of a split that are measured and never trained on: those that the config names, by name."""

    def read(asked: str, file: str, schema: pa.Schema) -> pa.Table:
        return stage.read(role if asked == "data" else asked, file, schema)

    view = SimpleNamespace(config={**stage.config, "split": split}, read=read, path=stage.path)
    settings = {"rule": {"kind": "rule", "rule": "verify"}, "truth": {"kind": "truth"}}
    return {name: make_reward(settings[name], view) for name in stage.config["monitors"]}


def columns_of(rows: list[dict[str, Any]], schema: pa.Schema) -> dict[str, list]:
    """Rows as the columns of a schema."""
    return {name: [row[name] for row in rows] for name in schema.names}
