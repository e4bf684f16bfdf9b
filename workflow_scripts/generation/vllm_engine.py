"""Rollouts by vLLM inside the training processes: one engine per GPU, or per tensor-parallel group of ranks.

vLLM's external launcher runs the engine in the rank's own process, on the process group that the trainer has made. At
sleep level 2 it drops weights and cache, so between two rollouts the GPU belongs to the update; `load` wakes it:
weights, the new values in place of the old, then the cache, emptied. (A CPU build keeps both: there, sleep is a no-op.)

Tied parameters are untied here: the head gets a copy of its own, which costs its memory and lets a new value reach it
on every platform. Each response has a seed of its own, by its place in the batch, so what is sampled depends neither on
the number of engines nor, up to rounding, on what runs beside it.
"""

import copy
import gc
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from workflow_scripts.generation import EngineSettings, Generation, end_tokens, texts, vllm_api
from workflow_scripts.rl.seeds import derive_seed

CPU_BLOCK = 32  # tokens of a cache block on a CPU: vLLM's 128 would keep the prefix cache from short prompts


def build(model: Any, tokenizer: Any, settings: EngineSettings) -> "VllmEngine":
    """An engine for `model` that waits for its first `load`. Every rank of the job must call."""
    config = copy.deepcopy(model.config)
    config.tie_word_embeddings = False
    config.architectures = config.architectures or [type(model).__name__]
    ends = end_tokens(getattr(model.generation_config, "eos_token_id", None), tokenizer)
    with tempfile.TemporaryDirectory(prefix="vllm-") as folder:
        config.save_pretrained(folder)
        llm = _start(folder, settings, load_format="dummy", enable_sleep_mode=torch.cuda.is_available())
    return VllmEngine(llm, tokenizer, ends, config.vocab_size, _other_names(model))


def from_folder(folder: Path, tokenizer: Any, settings: EngineSettings) -> "VllmEngine":
    """An engine with the weights of a directory, as vLLM reads them. Every rank of the job must call."""
    generation = Path(folder) / "generation_config.json"
    ends = json.loads(generation.read_text(encoding="utf-8")).get("eos_token_id") if generation.is_file() else None
    llm = _start(str(folder), settings, load_format="safetensors")
    size = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    engine = VllmEngine(llm, tokenizer, end_tokens(ends, tokenizer), size, {})
    engine.version = 0
    return engine


def _start(model: str, settings: EngineSettings, **options: Any) -> Any:
    gpu = torch.cuda.is_available()
    vllm_api.import_vllm()
    if not dist.is_initialized():  # alone, without a launcher
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", store=dist.HashStore(), rank=0, world_size=1)
    os.environ |= {"RANK": str(dist.get_rank()), "LOCAL_RANK": os.environ.get("LOCAL_RANK", "0")}
    if not gpu:  # compiling, were it only the ranking of log-probabilities, takes longer than all that a CPU generates
        torch.compiler.set_stance("force_eager")
        options |= {"block_size": CPU_BLOCK, "enforce_eager": True}
    return vllm_api.start(
        model=model,
        dtype=settings.precision,
        tensor_parallel_size=settings.tensor_parallel,
        gpu_memory_utilization=settings.gpu_memory,
        max_model_len=-1,  # the model's positions, or as many as the cache has room for: Qwen2.5 names 131,072
        distributed_executor_backend="external_launcher",
        logprobs_mode="processed_logprobs",
        enable_prefix_caching=True,
        skip_tokenizer_init=True,
        generation_config="vllm",
        seed=0,
        **options,
    )


def _other_names(model: Any) -> dict[str, list[str]]:
    """The further names of a parameter that a model holds under several: of the head, where it is tied."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return {first: others for first, *others in names.values() if others}


class VllmEngine:
    shares_weights = False

    def __init__(self, llm: Any, tokenizer: Any, ends: list[int], rows: int, other_names: dict[str, list[str]]) -> None:
        """`rows` of the head; those beyond the tokenizer stand for nothing and get no probability."""
        self.tokenizer, self.version = tokenizer, None
        self._llm, self._ends, self._other_names, self._sleeping = llm, ends, other_names, False
        self._bias = {token: float("-inf") for token in range(len(tokenizer), rows)} or None

    def load(self, weights: Iterable[tuple[str, torch.Tensor]], version: int) -> None:
        """See `RolloutEngine`. Each rank of a job must call, with the same names in the same order."""
        if self._sleeping:
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._llm.wake_up(tags=["weights"])
        vllm_api.reload_weights(self._llm, self._untied(weights))
        if self._sleeping:
            self._llm.wake_up(tags=["kv_cache"])
        vllm_api.forget_prefixes(self._llm)
        self._sleeping, self.version = False, version

    def _untied(self, weights: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
        for name, tensor in weights:
            kept = tensor.detach().clone()  # vLLM holds it until its layer is complete, the giver until the next item
            for each in (name, *self._other_names.get(name, ())):
                yield each, kept

    def sleep(self) -> None:
        """The weights are gone: the next call must be `load`."""
        if not self._sleeping:
            self._llm.sleep(level=2)
            self._sleeping, self.version = True, None

    def close(self) -> None:
        if self._llm is not None:
            vllm_api.stop(self._llm)
            self._llm = None

    def generate(
        self, prompts: list[list[int]], *, samples: int, max_tokens: int, temperature: float, seed: int, first: int = 0
    ) -> Generation:
        """See `RolloutEngine`; the result is on the CPU, its width is the longest response."""
        if self.version is None:
            raise RuntimeError("the engine has no weights: load them first")
        requests = [{"prompt_token_ids": prompt} for prompt in prompts for _ in range(samples)]
        settings = [
            vllm_api.sampling(
                max_tokens=max_tokens,
                temperature=temperature,
                seed=derive_seed(seed, first * samples + row),
                stop_token_ids=self._ends,
                logit_bias=self._bias,
                logprobs=0,
                detokenize=False,
            )
            for row in range(len(requests))
        ]
        found = self._llm.generate(requests, settings, use_tqdm=False) if requests else []
        return self._collect([request.outputs[0] for request in found])

    def _collect(self, outputs: list[Any]) -> Generation:
        rows = [list(output.token_ids) for output in outputs]
        width = max(map(len, rows), default=0)
        tokens = torch.full((len(rows), width), self.tokenizer.pad_token_id, dtype=torch.long)
        mask, log_probs = torch.zeros(len(rows), width, dtype=torch.bool), torch.zeros(len(rows), width)
        for index, (row, output) in enumerate(zip(rows, outputs, strict=True)):
            tokens[index, : len(row)] = torch.tensor(row)
            mask[index, : len(row)] = True
            found = [place[token].logprob for place, token in zip(output.logprobs, row, strict=True)]
            log_probs[index, : len(row)] = torch.tensor(found)
        return Generation(
            tokens=tokens,
            mask=mask,
            text=texts(self.tokenizer, rows),
            truncated=torch.tensor([output.finish_reason == "length" for output in outputs], dtype=torch.bool),
            log_probs=log_probs,
            version=self.version,
        )
