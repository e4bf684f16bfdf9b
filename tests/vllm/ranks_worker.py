"""Two ranks train by ZeRO and sample by vLLM in the same processes, started by torchrun: a line of JSON per case.

A case: `tied`, `backend`, `tensor_parallel`, `out`. Rank 0 writes how far the engines' log-probabilities are from the
trainer's before and after an update, how far the update moved them, and what was sampled.
"""

import json
from pathlib import Path

import torch

from tests.ranks import work
from tests.vllm.policies import engine_of, policy, prompts
from workflow_scripts.rl.policy import all_log_probs


def run(case: dict, ranks) -> None:
    torch.manual_seed(0)
    model, tokenizer = policy(case["tied"])
    engine = engine_of(model, tokenizer, ranks, case["backend"], tensor_parallel=case["tensor_parallel"])
    backend, asked = engine.backend, prompts(tokenizer, count=5)
    options = {"samples": 2, "max_tokens": 12, "temperature": 1.0, "seed": 3}
    rows = [prompt for prompt in asked for _ in range(2)]

    def log_probs(generation):
        return all_log_probs(backend.forward, rows, generation.tokens, generation.mask, budget=999, ranks=ranks)[0]

    engine.follow()
    first = engine.generate(asked, **options)
    before = log_probs(first)
    for _ in range(3):
        found, _ = backend.forward(rows, first.tokens, first.mask)
        backend.backward(-found.mean() / ranks.world)
        backend.step(0.01)
    backend.refresh()
    moved = log_probs(first)
    engine.sleep()
    engine.follow()
    second = engine.generate(asked, **options)
    found = {
        "before": float((before - first.log_probs).abs().max()),
        "after": float((log_probs(second) - second.log_probs).abs().max()),
        "moved": float((moved - before).abs().max()),
        "updates": second.version,
        "texts": [first.text, second.text],
    }
    engine.close()
    if ranks.first:
        Path(case["out"]).write_text(json.dumps(found))


if __name__ == "__main__":
    work(run)
