"""The judge's network in this process, by vLLM's offline `LLM`: a pure prefill load with a shared prompt prefix.

The instruction that all prompts begin with is computed once (prefix caching). Log-probabilities are those of the raw
logits at exactly the verdict tokens, whatever their rank.
"""

from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.generation import vllm_api
from workflow_scripts.rewards.judge_engines import EngineSettings, Job, model_length
from workflow_scripts.rewards.verdict_tokens import VerdictTokens


class OfflineEngine:
    """A vLLM engine in this process; `close` ends the processes that it started."""

    def __init__(self, llm: Any) -> None:
        self._llm = llm

    def probabilities(self, prompts: list[list[int]], tokens: VerdictTokens) -> tuple[np.ndarray, np.ndarray]:
        wanted = [*tokens.yes, *tokens.no]
        sampling = vllm_api.sampling(max_tokens=1, temperature=0.0, logprob_token_ids=wanted, detokenize=False)
        requests = [{"prompt_token_ids": prompt} for prompt in prompts]
        outputs = self._llm.generate(requests, sampling, use_tqdm=False) if requests else []
        found = [output.outputs[0].logprobs[0] for output in outputs]
        sums = ([sum(np.exp(row[token].logprob) for token in ids) for row in found] for ids in (tokens.yes, tokens.no))
        yes, no = (np.array(column, dtype=np.float64) for column in sums)
        return yes, no

    def close(self) -> None:
        if self._llm is not None:
            vllm_api.stop(self._llm)
            self._llm = None


def build(model_dir: Path, settings: EngineSettings, job: Job) -> OfflineEngine:
    """Raises StageError in one line under several ranks, which would each start an engine, and without vLLM."""
    if job.ranks.world > 1:
        raise StageError("judge engine vllm runs in one process: give the stage one GPU, or use the engine served")
    return OfflineEngine(
        vllm_api.start(
            model=str(model_dir),
            dtype=settings.precision,
            max_model_len=model_length(model_dir, settings),
            max_num_seqs=settings.batch,
            tensor_parallel_size=settings.tensor_parallel,
            enable_prefix_caching=True,
            logprobs_mode="raw_logprobs",
        )
    )
