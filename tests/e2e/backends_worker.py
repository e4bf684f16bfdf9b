"""Updates of the nano policy under a backend, started by torchrun or python: one line of JSON per case on stdin.

A case: `backend`, `budget` (tokens per micro-batch), `loss`, `steps`, and optionally `load` (folder of a checkpoint to
go on from, after its step), `save` (folder), `tied` (one matrix is embedding and head) and `model` (folder: the model
is read from there without a rollout copy, and exported to its `export`). Rank 0 writes weights and moments to `out`,
and grad norms into `out`.json.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.ranks import work
from tests.rl_nano import nano_policy, nano_rollouts, nano_settings
from workflow_scripts.models.loading import load_model, save_model
from workflow_scripts.rl.backends import load_start, make_backend, make_reference
from workflow_scripts.rl.checkpoint import load_checkpoint, save_checkpoint
from workflow_scripts.rl.policy import Policy, all_log_probs
from workflow_scripts.rl.update import Updater


def run(case: dict, ranks) -> None:
    update = {"minibatches": 2, "micro_batch_tokens": case["budget"], "entropy_coef": 0.1, "kl_coef": 0.1}
    update |= {"backend": case["backend"], "lr": 1e-3, "max_grad_norm": 0.1} | case.get("update", {})
    settings = nano_settings(steps=4, rollout={"prompts": 8}, update=update, loss=case["loss"])
    model, tokenizer = nano_policy(case.get("seed", 0), tied=case.get("tied", False))
    if "model" in case:
        folder = Path(case["model"])
        if ranks.first:
            save_model(model, tokenizer, folder)
        ranks.share(None)
        reference = make_reference(load_start(folder, settings.update), settings.update)
        model = load_start(folder, settings.update)
        if case["backend"] == "zero3":  # no rank holds anything whole
            assert sum(parameter.numel() for parameter in model.parameters()) == 0
    backend = make_backend(model, settings.update, ranks, rollout_copy="model" not in case)
    state = load_checkpoint(Path(case["load"]), backend) if "load" in case else {"step": 0}
    updater, reports = Updater(backend, settings, ranks), []
    rollouts = nano_rollouts()
    if "model" in case:
        inputs = (rollouts.prompts, rollouts.tokens, rollouts.mask)
        expected, _ = all_log_probs(Policy(load_model(folder)), *inputs, budget=99)
    if case.get("broken"):
        rollouts.advantages[0, 0] = float("inf")
    for step in range(state["step"] + 1, case["steps"] + 1):
        reports += updater.run(rollouts, step)
        backend.refresh()
    if "model" in case:  # which stays where the policy started
        found, _ = all_log_probs(reference, *inputs, budget=99, ranks=ranks)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    if "save" in case:
        save_checkpoint(Path(case["save"]), case["steps"], backend, {}, ranks)
    tensors = {f"{name}|{key}": value.clone() for name, values in backend.state() for key, value in values.items()}
    if "model" in case:
        backend.save(folder / "export", tokenizer)
        ranks.share(None)
        shown = load_model(folder / "export")
    else:
        shown = backend.rollout_model
    for name, weight in shown.named_parameters():  # what is sampled from, or exported, is what was trained
        assert torch.equal(weight, tensors[f"{name}|param"].to(weight.dtype)), name
    for size in (1, 5000, 2**29):
        for name, weight in backend.weights(size):
            assert torch.equal(weight, tensors[f"{name}|param"].to(weight.dtype)), name
    if ranks.first:
        save_file(tensors, case["out"])
        summary = {
            "norms": [report.grad_norm for report in reports],
            "losses": [report.loss for report in reports],
            "skipped": [report.skipped for report in reports],
            "updates": backend.updates,
        }
        Path(case["out"]).with_suffix(".json").write_text(json.dumps(summary))


if __name__ == "__main__":
    work(run)
