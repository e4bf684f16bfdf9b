"""Fine-tuning goes on from another model, by the backends of the RL trainer, and learns what its objective says."""

import pytest
import torch

from tests.tiny import small_model
from workflow_scripts.artifacts import Stage
from workflow_scripts.artifacts.manifest import make_manifest, write_json
from workflow_scripts.artifacts.schemas import DEMONSTRATIONS, PAIRS, QUESTIONS, TRAINING
from workflow_scripts.artifacts.tables import read_table, write_table
from workflow_scripts.artifacts.workdir import WorkDir
from workflow_scripts.generation import EngineSettings
from workflow_scripts.generation.inprocess import build
from workflow_scripts.models import finetuned
from workflow_scripts.models.loading import encode_chat, load_model, load_tokenizer, save_model
from workflow_scripts.models.tokenizer import train_tokenizer
from workflow_scripts.rewards.verdict_tokens import resolve_verdict_tokens

ARCHITECTURE = {"layers": 2, "width": 32, "heads": 2, "mlp": 64, "positions": 64}
PROMPTS = ["1+1", "2+1", "3+1", "4+1", "5+1", "6+1"]
ANSWERS = ["two", "three", "four", "five", "six", "seven"]
COMMON = {"subject": ["sums"] * 6, "prompt": PROMPTS}
TABLES = {
    "references": (QUESTIONS, COMMON | {"question_id": PROMPTS, "reference": ANSWERS}),
    "demonstrations": (
        DEMONSTRATIONS,
        COMMON | {"question_id": PROMPTS, "response": ANSWERS, "style": [""] * 6, "noisy": [False] * 6},
    ),
    "verdicts": (
        PAIRS,
        COMMON
        | {"pair_id": PROMPTS, "answer": ["2", "3", "4", "4", "3", "2"], "reference": ANSWERS, "kind": [""] * 6}
        | {"equivalent": [True, True, True, False, False, False]},
    ),
}
TRAINING_SETTINGS = {
    "steps": 60,
    "epochs": 1,
    "batch": 6,
    "lr": 1e-2,
    "warmup": 0.1,
    "weight_decay": 0.0,
    "prompt_weight": 0.0,
    "micro_batch_tokens": 1000,
    "backend": "single",
    "precision": "float32",
}


@pytest.fixture
def tokenizer():
    return train_tokenizer([*PROMPTS, *ANSWERS, "YES", "NO"] * 9, 320, 64)


def source(objective, **training):
    template = "judge_nano" if objective == "verdicts" else "policy_nano"
    training = TRAINING_SETTINGS | training
    return {"objective": objective, "template": template, "split": "train", "training": training}


@pytest.fixture
def tune(tmp_path, tokenizer):
    """Run `prepare` on an untrained base and the table of an objective; the stage."""

    def run(objective, **training):
        base, data = tmp_path / "base", tmp_path / "data"
        save_model(small_model(ARCHITECTURE, tokenizer, 0), tokenizer, base / "model")
        data.mkdir()
        schema, columns = TABLES[objective]
        write_table(data / "train.parquet", columns, schema)
        for folder in (base, data):
            write_json(folder / "manifest.json", make_manifest(folder, {}))
        manifests = {"base": base / "manifest.json", "data": data / "manifest.json"}
        work = WorkDir(tmp_path / "work", "prepare_model", "tuned-0000000000")
        work.start()
        stage = Stage({}, manifests, work)
        finetuned.prepare(stage, source(objective, **training), 0)
        return stage

    return run


@pytest.mark.parametrize("objective", ["references", "demonstrations"])
def test_a_policy_answers_what_it_was_shown_and_ends(tune, objective):
    stage = tune(objective)
    model, tokenizer = load_model(stage.out / "model"), load_tokenizer(stage.out / "model")
    asked = [encode_chat(tokenizer, prompt) for prompt in PROMPTS]
    said = build(model, tokenizer, EngineSettings()).generate(asked, samples=1, max_tokens=9, temperature=0, seed=0)
    assert said.text == ANSWERS and not said.truncated.any()
    losses = read_table(stage.out / "training.parquet", TRAINING)["loss"].to_pylist()
    assert len(losses) == 60 and losses[-1] < 0.1 < losses[0]
    assert stage.accounting == {"examples": 6, "steps": 60}


def test_a_judge_is_trained_on_the_token_by_which_it_is_read(tune):
    stage = tune("verdicts")
    model, tokenizer = load_model(stage.out / "model"), load_tokenizer(stage.out / "model")
    tokens, (_, table) = resolve_verdict_tokens(tokenizer), TABLES["verdicts"]
    examples = finetuned.encode(table, "verdicts", "judge_nano", tokenizer)
    assert [completion for _, completion in examples] == [[tokens.yes[0]]] * 3 + [[tokens.no[0]]] * 3
    for prompt, (expected,) in examples:
        assert model(input_ids=torch.tensor([prompt])).logits[0, -1].argmax() == expected


def test_epochs_say_how_long_where_no_steps_do(tune):
    stage = tune("references", steps=None, epochs=2, batch=4)
    assert stage.accounting["steps"] == 2 * 2


def test_the_base_is_where_it_starts(tune, tmp_path):
    stage = tune("references", steps=1, lr=1e-30)
    ends = [load_model(folder / "model").state_dict() for folder in (tmp_path / "base", stage.out)]
    assert all(torch.allclose(ends[0][name], ends[1][name]) for name in ends[0])
