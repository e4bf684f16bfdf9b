"""The judge's network behind `vllm serve`, started inside the job's own allocation and stopped with it.

The first rank of each node starts a server, on as many GPUs as `tensor_parallel` says; every rank sends its own prompts
to that of its node.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.ranks import log_of_rank
from workflow_scripts.rewards.judge_engines import EngineSettings, Job, model_length
from workflow_scripts.rewards.verdict_tokens import VerdictTokens
from workflow_scripts.serving import Endpoint, Server

NAME = "judge"
IN_FLIGHT = 4  # requests of `batch` prompts each: the server always has the next ones while an answer travels


class ServedEngine:
    """Asks an endpoint; the rank that has started its server stops it in `close`."""

    def __init__(self, endpoint: Endpoint, batch: int, server: Server | None = None) -> None:
        self._endpoint, self._batch, self._server = endpoint, batch, server

    def probabilities(self, prompts: list[list[int]], tokens: VerdictTokens) -> tuple[np.ndarray, np.ndarray]:
        parts = [prompts[start : start + self._batch] for start in range(0, len(prompts), self._batch)]
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            found = [row for part in pool.map(lambda part: self._ask(part, tokens), parts) for row in part]
        table = np.array(found, dtype=np.float64).reshape(len(prompts), 2)
        return table[:, 0], table[:, 1]

    def _ask(self, prompts: list[list[int]], tokens: VerdictTokens) -> list[tuple[float, float]]:
        request = {
            "model": NAME,
            "prompt": prompts,
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": 1,
            "logprob_token_ids": [*tokens.yes, *tokens.no],
            "return_tokens_as_token_ids": True,
        }
        choices = sorted(self._endpoint.post("/v1/completions", request)["choices"], key=lambda choice: choice["index"])
        found = [choice["logprobs"]["top_logprobs"][0] for choice in choices]
        if len(found) != len(prompts):
            raise StageError(f"{self._endpoint.url}: {len(found)} answers to {len(prompts)} prompts")
        return [(_probability(row, tokens.yes), _probability(row, tokens.no)) for row in found]

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None


def _probability(log_probabilities: dict[str, float], ids: tuple[int, ...]) -> float:
    """Sum over tokens, which the server names `token_id:17` where it is asked to."""
    return float(sum(np.exp(log_probabilities[f"token_id:{token}"]) for token in ids))


def build(model_dir: Path, settings: EngineSettings, job: Job) -> ServedEngine:
    """Every rank of the job must call. Raises StageError naming the server's log where it does not start."""
    server, failure, local_rank = None, None, int(os.environ.get("LOCAL_RANK", 0))
    if local_rank == 0:
        try:
            server = Server.start(
                lambda port: serve_command(model_dir, settings, port), log_of_rank(job.log, job.ranks.rank)
            )
        except StageError as error:
            failure = error
    endpoints = job.ranks.gather(server.endpoint if server else None)
    endpoint = endpoints[job.ranks.rank - local_rank]  # that of this node's first rank
    if endpoint is None:
        raise failure or StageError("judge engine served: the first rank of this node has no server; its log says why")
    return ServedEngine(endpoint, settings.batch, server)


def serve_command(model_dir: Path, settings: EngineSettings, port: int) -> list[str]:
    """What `vllm serve` runs. The key travels in the environment: a command line is for all to read.

    The module, not the program: `vllm` itself asks for a distribution of its name, which CPU builds do not have.
    """
    options = {
        "model": model_dir,
        "host": "127.0.0.1",
        "port": port,
        "served-model-name": NAME,
        "dtype": settings.precision,
        "max-model-len": model_length(model_dir, settings),
        "max-num-seqs": settings.batch,
        "tensor-parallel-size": settings.tensor_parallel,
        "logprobs-mode": "raw_logprobs",
    }
    flags = ["--enable-prefix-caching", "--disable-log-stats", "--disable-uvicorn-access-log"]
    named = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *named, *flags]
