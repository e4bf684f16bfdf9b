"""Models, tokenizers and questions that several cases use: the nano scale's, and SmolLM2-135M with its own weights."""

from dataclasses import dataclass
from typing import Any

from tests.project import ROOT

SUBJECTS = ["arithmetic", "sorting", "strings", "calendar", "logic"]
NANO = {"layers": 2, "width": 64, "heads": 4, "mlp": 256, "vocab": 512, "positions": 64}  # config/nano.yaml, base
NANO_JUDGE = {**NANO, "width": 48, "mlp": 192, "vocab": 640}  # config/nano.yaml, judge_base
# Qwen2.5-0.5B (its config.json); weights are random, as no hub can be reached while a benchmark runs
HALF_BILLION = {
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "vocab_size": 151_936,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
}


@dataclass(frozen=True)
class Material:
    """A model in fp32 in evaluation mode, its tokenizer, and the template that its prompts are filled into."""

    name: str
    model: Any
    tokenizer: Any
    template: str


def nano_policy() -> Material:
    """The nano policy's architecture with random weights: speed does not depend on what they are."""
    from workflow_scripts.data.nano_world import demonstration_table, read_settings

    table = demonstration_table(20_000, "demonstrations", None, read_settings(None), 0)
    return _scratch("nano policy", table["prompt"] + table["response"], NANO, "policy_nano")


def nano_judge() -> Material:
    """The nano judge's architecture with random weights."""
    pairs = judge_pairs(20_000)
    texts = [text for name in ("prompt", "answer", "reference") for text in pairs[name]]
    return _scratch("nano judge", [*texts, "YES", "NO", "YES", "NO"], NANO_JUDGE, "judge_nano")


def smollm2(template: str) -> Material:
    """SmolLM2-135M-Instruct as config/smol.yaml names it. ValueError where its package is not installed."""
    import yaml

    from workflow_scripts.models.gguf import load_gguf, locate

    source = yaml.safe_load((ROOT / "config" / "smol.yaml").read_text())["models"]["smollm2"]["source"]
    model, tokenizer = load_gguf(locate({"path": None, **source}))
    return Material("SmolLM2-135M", model, tokenizer, template)


def half_billion(template: str) -> Material:
    """Qwen2.5-0.5B's architecture with random weights and as many token ids: SmolLM2's, and names for the rest."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = smollm2(template).tokenizer
    tokenizer.add_tokens([f"<|spare_{number}|>" for number in range(HALF_BILLION["vocab_size"] - len(tokenizer))])
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(**HALF_BILLION, initializer_range=0.02)).eval()
    return Material("Qwen2.5-0.5B's architecture", model, tokenizer, template)


def _scratch(name: str, texts: list[str], architecture: dict[str, int], template: str) -> Material:
    from workflow_scripts.models.scratch import build_model
    from workflow_scripts.models.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(texts, architecture["vocab"], architecture["positions"])
    return Material(name, build_model(architecture, tokenizer, seed=0).eval(), tokenizer, template)


def questions(rows: int) -> dict[str, list[str]]:
    """The columns of `rows` questions of the nano world."""
    from workflow_scripts.data.nano_world import question_table, read_settings

    columns, _, _ = question_table(2 * rows, "train", SUBJECTS, read_settings(None), 0)  # repeats are dropped
    return {name: columns[name][:rows] for name in ("question_id", "subject", "prompt", "reference")}


def judge_pairs(rows: int) -> dict[str, list]:
    """The columns of `rows` pairs that a judge learns from."""
    from workflow_scripts.data.nano_world import pair_table, read_settings

    columns, _ = pair_table(2 * rows, "demonstrations", None, read_settings(None), 0)
    return {name: values[:rows] for name, values in columns.items()}
