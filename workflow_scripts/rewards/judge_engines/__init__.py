"""Judge engines: who runs the network of a judge. One protocol, chosen by name in the config.

All engines read the same token ids and give the probabilities of the same tokens at temperature 1, over the whole
vocabulary: nothing is masked, so that YES + NO keeps its meaning. They agree to rounding (tests/vllm: 1e-3).
"""

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from workflow_scripts.ranks import Ranks
from workflow_scripts.rewards.verdict_tokens import VerdictTokens

JUDGE_ENGINES = {
    "inprocess": "workflow_scripts.rewards.judge_engines.inprocess",
    "vllm": "workflow_scripts.rewards.judge_engines.offline",
    "served": "workflow_scripts.rewards.judge_engines.served",
}


class JudgeEngine(Protocol):
    def probabilities(self, prompts: list[list[int]], tokens: VerdictTokens) -> tuple[np.ndarray, np.ndarray]:
        """(P(YES), P(NO)) of the token after each of B prompts, summed over the variants; (B,) float64 each."""
        ...

    def close(self) -> None:
        """Give back what the engine holds. A second call does nothing."""
        ...


@dataclass(frozen=True)
class EngineSettings:
    """`judging` of a model in the config (config/models.py says what each setting means)."""

    engine: str = "inprocess"
    batch: int = 256
    max_length: int = 4096
    precision: str = "float32"
    tensor_parallel: int = 1


@dataclass(frozen=True)
class Job:
    """Where an engine runs: the processes of the job, and the file for what a server of its own prints."""

    ranks: Ranks = Ranks()
    log: Path = Path("server.log")


def make_judge_engine(model_dir: Path, settings: EngineSettings, job: Job) -> JudgeEngine:
    """The engine that the settings name, on the model of a directory. Raises ValueError on an unknown name."""
    if settings.engine not in JUDGE_ENGINES:
        raise ValueError(f"unknown judge engine {settings.engine!r}, allowed: {', '.join(JUDGE_ENGINES)}")
    return importlib.import_module(JUDGE_ENGINES[settings.engine]).build(model_dir, settings, job)


def model_length(model_dir: Path, settings: EngineSettings) -> int:
    """Tokens of prompt and verdict together that the model reads: `max_length`, or its positions if they are fewer."""
    config = json.loads((Path(model_dir) / "config.json").read_text(encoding="utf-8"))
    return min(settings.max_length, config.get("max_position_embeddings") or settings.max_length)
