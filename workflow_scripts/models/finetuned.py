"""Supervised fine-tuning of another model of the config, a pretrained one for instance; prompts keep its chat template.

Objectives: `demonstrations` (prompt -> worked response), `references` (prompt -> reference answer, the reward paper's
baseline of labels without reasoning, 2503.23829, Table 1) and `verdicts` (judge prompt -> YES or NO). Policies learn to
end their answer; of a verdict only the token is learnt, by which a judge is read.
"""

from typing import TYPE_CHECKING, Any

from workflow_scripts.artifacts import Stage
from workflow_scripts.artifacts.schemas import DEMONSTRATIONS, PAIRS, QUESTIONS, TRAINING
from workflow_scripts.data.prompts import render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from workflow_scripts.models.sft import Example

SCHEMAS = {"demonstrations": DEMONSTRATIONS, "references": QUESTIONS, "verdicts": PAIRS}
COMPLETIONS = {"demonstrations": "response", "references": "reference"}


def prepare(stage: Stage, source: dict[str, Any], seed: int) -> None:
    """Fine-tune the input `base` on a split of `data`; write model/ and training.parquet."""
    from workflow_scripts.models.fine_tuning import fine_tune
    from workflow_scripts.models.loading import load_tokenizer

    table = stage.read("data", f"{source['split']}.parquet", SCHEMAS[source["objective"]]).to_pydict()
    folder = stage.path("base", "model")
    tokenizer = load_tokenizer(folder)
    examples = encode(table, source["objective"], source["template"], tokenizer)
    rows = fine_tune(folder, tokenizer, examples, source["training"], seed, stage)
    stage.write("training.parquet", rows, TRAINING)
    stage.account(examples=len(examples), steps=len(rows["step"]))


def encode(
    table: dict[str, list], objective: str, template: str, tokenizer: "PreTrainedTokenizerBase"
) -> "list[Example]":
    """(prompt, completion) tokens of each row of a table, columns by name."""
    from workflow_scripts.models.loading import encode_answer, encode_chats
    from workflow_scripts.rewards.verdict_tokens import resolve_verdict_tokens

    if objective == "verdicts":
        tokens = resolve_verdict_tokens(tokenizer)
        verdict = {True: [tokens.yes[0]], False: [tokens.no[0]]}
        rows = zip(table["prompt"], table["answer"], table["reference"], strict=True)
        texts = [render(template, question=q, answer=a, reference=r) for q, a, r in rows]
        completions = [verdict[equal] for equal in table["equivalent"]]
    else:
        texts = [render(template, question=prompt) for prompt in table["prompt"]]
        completions = [encode_answer(tokenizer, text) for text in table[COMPLETIONS[objective]]]
    return list(zip(encode_chats(tokenizer, texts), completions, strict=True))
