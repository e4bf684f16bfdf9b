"""The judge's network behind `vllm serve`, started inside the job's own allocation and stopped with it.

Where its servers run is the placement's business (serving/); every rank sends them its own prompts.
"""

import sys
from pathlib import Path

import numpy as np

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.rewards.judge_engines import EngineSettings, Job, model_length
from workflow_scripts.rewards.verdict_tokens import VerdictTokens
from workflow_scripts.serving import Servers, serve

NAME = "judge"


class ServedEngine:
    """Asks the servers, `batch` prompts a request; the rank that has started them ends them in `close`."""

    def __init__(self, servers: Servers, batch: int) -> None:
        self.servers, self._batch = servers, batch

    def probabilities(self, prompts: list[list[int]], tokens: VerdictTokens) -> tuple[np.ndarray, np.ndarray]:
        parts = [prompts[start : start + self._batch] for start in range(0, len(prompts), self._batch)]
        answers = self.servers.client.ask_all("/v1/completions", [_request(part, tokens) for part in parts])
        found = [row for part, answer in zip(parts, answers, strict=True) for row in _rows(answer, len(part), tokens)]
        table = np.array(found, dtype=np.float64).reshape(len(prompts), 2)
        return table[:, 0], table[:, 1]

    def close(self) -> None:
        self.servers.close()


def _request(prompts: list[list[int]], tokens: VerdictTokens) -> dict:
    return {
        "model": NAME,
        "prompt": prompts,
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": 1,
        "logprob_token_ids": [*tokens.yes, *tokens.no],
        "return_tokens_as_token_ids": True,
    }


def _rows(answer: dict, prompts: int, tokens: VerdictTokens) -> list[tuple[float, float]]:
    """(P(YES), P(NO)) of each prompt of a request."""
    choices = sorted(answer["choices"], key=lambda choice: choice["index"])
    found = [choice["logprobs"]["top_logprobs"][0] for choice in choices]
    if len(found) != prompts:
        raise StageError(f"model server: {len(found)} answers to {prompts} prompts")
    return [(_probability(row, tokens.yes), _probability(row, tokens.no)) for row in found]


def _probability(log_probabilities: dict[str, float], ids: tuple[int, ...]) -> float:
    """Sum over tokens, which the server names `token_id:17` where it is asked to."""
    return float(sum(np.exp(log_probabilities[f"token_id:{token}"]) for token in ids))


def build(model_dir: Path, settings: EngineSettings, job: Job) -> ServedEngine:
    """Every rank of the job must call. Raises StageError naming the server's log where it does not start."""
    command = serve_command(model_dir, settings)
    return ServedEngine(serve(command, job.ranks, job.log, settings.tensor_parallel), settings.batch)


def serve_command(model_dir: Path, settings: EngineSettings) -> list[str]:
    """What `vllm serve` runs; `{host}` and `{port}` are filled in where it starts.

    The key travels in the environment: a command line is for all to read.

    The module, not the program: `vllm` itself asks for a distribution of its name, which CPU builds do not have.
    """
    options = {
        "model": model_dir,
        "host": "{host}",
        "port": "{port}",
        "served-model-name": NAME,
        "dtype": settings.precision,
        "max-model-len": model_length(model_dir, settings),
        "max-num-seqs": settings.batch,
        "tensor-parallel-size": settings.tensor_parallel,
        "logprobs-mode": "raw_logprobs",
        "middleware": "workflow_scripts.serving.access.RequireKey",
    }
    flags = ["--enable-prefix-caching", "--disable-log-stats", "--disable-uvicorn-access-log"]
    named = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *named, *flags]
