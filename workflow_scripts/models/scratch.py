"""Train a tiny Qwen2-architecture model from nothing: tokenizer, weights, chat template.

Two objectives: `demonstrations` (a policy learns prompt -> response) and `verdicts` (a teacher or judge base learns
judge prompt -> YES or NO). The result is an ordinary Hugging Face directory.
"""

from typing import TYPE_CHECKING, Any

from workflow_scripts.artifacts import Stage
from workflow_scripts.artifacts.schemas import DEMONSTRATIONS, PAIRS, TRAINING
from workflow_scripts.data.prompts import render

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Standard deviation of the first weights times the square root of the width. Hugging Face's 0.02 suits widths of
# thousands; at width 96 it makes the first thousand steps three times slower (measured on the nano world).
INIT = 0.8
VERDICTS = {True: "YES", False: "NO"}


def build_model(architecture: dict[str, int], tokenizer: "PreTrainedTokenizerBase", seed: int) -> "PreTrainedModel":
    """Return a Qwen2 model with random weights and an untied head.

    architecture: layers, width, heads, mlp (inner width), positions; the vocabulary is the tokenizer's.
    """
    import torch
    from transformers.models.qwen2.modeling_qwen2 import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=architecture["width"],
        intermediate_size=architecture["mlp"],
        num_hidden_layers=architecture["layers"],
        num_attention_heads=architecture["heads"],
        num_key_value_heads=architecture["heads"],
        max_position_embeddings=architecture["positions"],
        tie_word_embeddings=False,
        initializer_range=INIT / architecture["width"] ** 0.5,
        attention_dropout=0.0,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config)


def texts(table: dict[str, list], objective: str, template: str) -> tuple[list[str], list[str]]:
    """Return the prompts and completions of a training table (columns by name) under an objective."""
    if objective == "demonstrations":
        return [render(template, question=prompt) for prompt in table["prompt"]], list(table["response"])
    rows = zip(table["prompt"], table["answer"], table["reference"], strict=True)
    prompts = [render(template, question=q, answer=a, reference=r) for q, a, r in rows]
    return prompts, [VERDICTS[equal] for equal in table["equivalent"]]


def train(
    table: dict[str, list], source: dict[str, Any], seed: int, stage: Stage | None = None
) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase", dict[str, list]]:
    """Train tokenizer and model on `table`; return both and the TRAINING columns."""
    from workflow_scripts.devices import own_device
    from workflow_scripts.models.loading import encode_answer, encode_chats
    from workflow_scripts.models.sft import BETAS, Schedule, fit
    from workflow_scripts.models.tokenizer import require_single_tokens, train_tokenizer
    from workflow_scripts.rl.backends.single import Single
    from workflow_scripts.rl.settings import UpdateSettings

    architecture, objective = source["architecture"], source["objective"]
    prompts, completions = texts(table, objective, source["template"])
    corpus = [text for pair in zip(prompts, completions, strict=True) for text in pair]
    tokenizer = train_tokenizer(corpus, architecture["vocab"], architecture["positions"])
    if objective == "verdicts":
        require_single_tokens(tokenizer, VERDICTS.values())
    distinct = list(dict.fromkeys(prompts))
    encoded = dict(zip(distinct, encode_chats(tokenizer, distinct), strict=True))
    answers = {text: encode_answer(tokenizer, text) for text in dict.fromkeys(completions)}
    examples = [(encoded[p], answers[c]) for p, c in zip(prompts, completions, strict=True)]
    model = build_model(architecture, tokenizer, seed).to(own_device())
    training = dict(source["training"])
    training["warmup"] = round(training["warmup"] * training["steps"])  # the config gives a share of the steps
    update = UpdateSettings(1, training["lr"], betas=BETAS, weight_decay=training.pop("weight_decay"))
    backend = Single(model, update, share_prompts=False)
    return model, tokenizer, fit(backend, examples, Schedule(**training, seed=seed), stage)


def prepare(stage: Stage, source: dict[str, Any], seed: int) -> None:
    """Train on the upstream data set; write model/ and training.parquet."""
    from workflow_scripts.models.loading import save_model

    schema = DEMONSTRATIONS if source["objective"] == "demonstrations" else PAIRS
    table = stage.read("data", "train.parquet", schema).to_pydict()
    model, tokenizer, rows = train(table, source, seed, stage)
    save_model(model, tokenizer, stage.out / "model")
    stage.write("training.parquet", rows, TRAINING)
    stage.account(examples=len(table["prompt"]), parameters=sum(p.numel() for p in model.parameters()))
