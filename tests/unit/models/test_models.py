"""Tiny models are ordinary Hugging Face directories, trained to the same bits each time, and resume exactly."""

import json

import pytest
import torch
from safetensors.torch import save_file

from workflow_scripts.artifacts import Stage, StageError
from workflow_scripts.artifacts.workdir import WorkDir
from workflow_scripts.models import hub
from workflow_scripts.models.loading import encode_chat, load_model, load_tokenizer, save_model
from workflow_scripts.models.scratch import build_model, train
from workflow_scripts.models.sft import BETAS, Schedule, batches, collate, fit
from workflow_scripts.models.tokenizer import require_single_tokens, train_tokenizer
from workflow_scripts.rl.backends.single import Single
from workflow_scripts.rl.settings import UpdateSettings

ARCHITECTURE = {"layers": 1, "width": 16, "heads": 2, "mlp": 32, "vocab": 300, "positions": 32}
TRAINING = {"steps": 6, "batch": 4, "lr": 1e-2, "warmup": 0.1, "weight_decay": 0.01, "prompt_weight": 1.0}
TABLE = {
    "prompt": ["1+1", "2+1", "3+1", "4+1", "5+1"],
    "answer": ["2", "3", "5", "5", "6"],
    "reference": ["two", "3", "4", "five", "6"],
    "equivalent": [True, True, False, True, True],
}
TABLE = {name: values * 20 for name, values in TABLE.items()}
SOURCE = {"architecture": ARCHITECTURE, "objective": "verdicts", "template": "judge_nano", "training": TRAINING}


def make_stage(folder, deadline=None):
    work = WorkDir(folder, "distill_judge", "nano-0000000000")
    work.start()
    return Stage({}, {}, work, deadline)


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_equal_seeds_give_equal_weights():
    first, second = (weights(train(TABLE, SOURCE, 3)[0]) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, weights(train(TABLE, SOURCE, 4)[0]))


def test_a_model_is_saved_and_loaded_as_an_ordinary_directory(tmp_path):
    model, tokenizer, _ = train(TABLE, SOURCE, 3)
    save_model(model, tokenizer, tmp_path)
    assert (tmp_path / "model.safetensors").is_file() and not list(tmp_path.glob("*.bin"))
    again, its_tokenizer = load_model(tmp_path), load_tokenizer(tmp_path)
    assert torch.equal(weights(model), weights(again)) and not again.config.tie_word_embeddings
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert torch.equal(weights(AutoModelForCausalLM.from_pretrained(tmp_path)), weights(model))
    auto = AutoTokenizer.from_pretrained(tmp_path)
    chat = [{"role": "user", "content": "1+1"}]
    ids = auto.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    assert list(ids) == encode_chat(its_tokenizer, "1+1")


def test_any_text_survives_the_tokenizer_and_verdicts_are_single_tokens():
    tokenizer = train_tokenizer(["1+1", "YES", "NO"] * 20, 300, 32)
    require_single_tokens(tokenizer, ["YES", "NO"])
    for text in ("解 ünïcode 12+1", " a\n\nb", "x" * 20, "fünf\nNO YESNO"):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
    with pytest.raises(ValueError, match="zebra"):
        require_single_tokens(tokenizer, ["zebra"])


def backend(model, lr=1e-2, weight_decay=0.01):
    return Single(model, UpdateSettings(1, lr, betas=BETAS, weight_decay=weight_decay), share_prompts=False)


def test_collating_keeps_every_token_that_is_to_be_predicted_and_says_whose_it_is():
    examples = [([5, 6, 7], [8, 9]), ([5, 6], [7])]
    plain, whole = collate(examples, with_prompt=False), collate(examples, with_prompt=True)
    assert plain.contexts == [[5, 6, 7], [5, 6]] and plain.tokens.tolist() == [[8, 9], [7, 0]]
    assert plain.mask.tolist() == [[True, True], [True, False]] and not plain.is_prompt.any()
    assert whole.contexts == [[5], [5]] and whole.tokens.tolist() == [[6, 7, 8, 9], [6, 7, 0, 0]]
    assert whole.is_prompt.tolist() == [[True, True, False, False], [True, False, False, False]]


@pytest.mark.parametrize("budget", [1000, 5])
def test_the_gradient_is_that_of_a_plain_cross_entropy_however_the_batch_is_cut(budget):
    """Mean over completion tokens plus the weighted mean over prompt tokens, on the logits of the whole sequences."""
    tokenizer = train_tokenizer(["1+1", "YES", "NO"] * 20, 300, 32)
    examples, weight = [([5, 6, 7], [8, 9]), ([5, 6], [7])], 0.7
    plain, fitted = build_model(ARCHITECTURE, tokenizer, 0), build_model(ARCHITECTURE, tokenizer, 0)
    losses = {True: [], False: []}
    for prompt, completion in examples:
        logits = plain(input_ids=torch.tensor([prompt + completion])).logits[0].float().log_softmax(-1)
        for place, token in enumerate(prompt + completion):
            if place:
                losses[place < len(prompt)].append(-logits[place - 1, token])
    completed, prompted = (torch.stack(losses[which]).mean() for which in (False, True))
    (completed + weight * prompted).backward()
    norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), 1e9)
    settings = Schedule(1, 2, 0.0, 0, 0, prompt_weight=weight, micro_batch_tokens=budget)
    rows = fit(backend(fitted, lr=0.0), examples, settings)
    assert rows["loss"] == [pytest.approx(completed.item(), rel=1e-5)] and rows["tokens"] == [3]
    assert rows["grad_norm"] == [pytest.approx(norm.item(), rel=1e-5)]


def test_weight_decay_leaves_norms_alone():
    tokenizer = train_tokenizer(["1+1", "YES", "NO"] * 20, 300, 32)
    groups = backend(build_model(ARCHITECTURE, tokenizer, 0)).optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.01, 0.0]
    assert all(p.dim() >= 2 for p in groups[0]["params"]) and all(p.dim() == 1 for p in groups[1]["params"])


def test_every_example_is_seen_once_an_epoch():
    found = batches([3, 1, 2, 5, 4, 2, 2], steps=4, batch=2, seed=1)
    assert sorted(index for batch in found for index in batch) == list(range(7))


def test_training_resumes_bit_for_bit(tmp_path):
    tokenizer = train_tokenizer(["1+1", "YES", "NO"] * 20, 300, 32)
    examples = [([5, 6, 7], [8, 9]), ([5, 6], [7]), ([9], [5, 6])]
    settings = Schedule(steps=8, batch=2, lr=1e-2, warmup=2, seed=1)
    whole = build_model(ARCHITECTURE, tokenizer, 0)
    rows = fit(backend(whole), examples, settings)
    stopped = build_model(ARCHITECTURE, tokenizer, 0)
    for _ in range(3):  # a deadline in the past: one step, a checkpoint, out
        with pytest.raises(StageError, match="time budget used up after training step . of 8: saved, run it again"):
            fit(backend(stopped), examples, settings, make_stage(tmp_path, deadline=0.0))
        stopped = build_model(ARCHITECTURE, tokenizer, 0)
    assert fit(backend(stopped), examples, settings, make_stage(tmp_path)) == rows
    assert torch.equal(weights(stopped), weights(whole))
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".pt", ".bin", ".pkl")]  # nothing to unpickle


def test_a_downloaded_model_must_be_whole_and_of_safetensors(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "model-1.safetensors")
    for name in ("config.json", "tokenizer.json"):
        with pytest.raises(ValueError, match=f"owner/name has no {name}"):
            hub.check(tmp_path, "owner/name")
        (tmp_path / name).write_text("{}")
    hub.check(tmp_path, "owner/name")
    index = {"weight_map": {"w": "model-1.safetensors", "v": "model-2.safetensors"}}
    (tmp_path / hub.INDEX).write_text(json.dumps(index))
    with pytest.raises(ValueError, match="owner/name has no model-2.safetensors"):
        hub.check(tmp_path, "owner/name")
    torch.save({"v": torch.zeros(2)}, tmp_path / "model-2.safetensors")  # a pickle under another name
    with pytest.raises(ValueError, match="model-2.safetensors is not a safetensors file"):
        hub.check(tmp_path, "owner/name")
