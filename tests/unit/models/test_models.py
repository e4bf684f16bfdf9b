"""Tiny models are ordinary Hugging Face directories, trained to the same bits each time, and resume exactly."""

import pytest
import torch

from workflow_scripts.artifacts import StageError
from workflow_scripts.models import hub
from workflow_scripts.models.loading import encode_chat, load_model, load_tokenizer, save_model
from workflow_scripts.models.scratch import build_model, train
from workflow_scripts.models.sft import collate, completion_logits, fit, prompt_mask, schedule
from workflow_scripts.models.tokenizer import require_single_tokens, train_tokenizer

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


class Stage:
    """Checkpoints and deadline, as a stage gives them."""

    def __init__(self, folder, deadline=None):
        self.checkpoints, self.deadline = folder, deadline

    def progress(self, *_, **__):
        pass


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


def test_the_loss_counts_the_completion_and_the_prompt_by_its_weight():
    """Against a plain per-token computation on the logits of the whole sequence."""
    tokenizer = train_tokenizer(["1+1", "YES", "NO"] * 20, 300, 32)
    model = build_model(ARCHITECTURE, tokenizer, 0)
    examples = [([5, 6, 7], [8, 9]), ([5, 6], [7])]
    tokens, completion = collate(examples)
    prompt = prompt_mask(examples)
    logits = model(input_ids=tokens).logits.float()
    for mask in (completion, prompt):
        found, targets = completion_logits(model, tokens, mask)
        rows = [(r, t) for r in range(2) for t in range(1, tokens.shape[1]) if mask[r, t]]
        assert torch.allclose(found, torch.stack([logits[r, t - 1] for r, t in rows]), atol=1e-5)
        assert targets.tolist() == [tokens[r, t].item() for r, t in rows]


def test_every_example_is_seen_once_an_epoch():
    batches = schedule([3, 1, 2, 5, 4, 2, 2], steps=4, batch=2, seed=1)
    assert sorted(index for batch in batches for index in batch) == list(range(7))


def test_training_resumes_bit_for_bit(tmp_path):
    tokenizer = train_tokenizer(["1+1", "YES", "NO"] * 20, 300, 32)
    examples = [([5, 6, 7], [8, 9]), ([5, 6], [7]), ([9], [5, 6])]
    settings = {"steps": 8, "batch": 2, "lr": 1e-2, "warmup": 2, "weight_decay": 0.01, "seed": 1}
    whole = build_model(ARCHITECTURE, tokenizer, 0)
    rows = fit(whole, examples, **settings)
    stopped = build_model(ARCHITECTURE, tokenizer, 0)
    for _ in range(3):  # a deadline in the past: one step, a checkpoint, out
        with pytest.raises(StageError, match="run again to go on"):
            fit(stopped, examples, **settings, stage=Stage(tmp_path, deadline=0.0))
        stopped = build_model(ARCHITECTURE, tokenizer, 0)
    assert fit(stopped, examples, **settings, stage=Stage(tmp_path)) == rows
    assert torch.equal(weights(stopped), weights(whole))


def test_an_unpinned_model_is_refused(tmp_path):
    stage = type("S", (), {"out": tmp_path})()
    with pytest.raises(StageError, match="a/b has no pinned revision"):
        hub.prepare(stage, {"repo": "a/b", "revision": "unpinned"}, 0)
