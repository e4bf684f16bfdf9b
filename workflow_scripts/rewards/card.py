"""The model card of a distilled judge: what it is, its data, its agreement with the teacher, its limits."""

from typing import Any

HEAD = """---
library_name: transformers
pipeline_tag: text-generation
tags: [reward-model, generative-verifier, llm-as-a-judge]
---
"""


def model_card(
    config: dict[str, Any], counts: dict[str, int], before: dict[str, float], after: dict[str, float]
) -> str:
    """Markdown with the front matter of a hub's card; the same text for the same inputs.

    `config` is the slice of the distillation, `counts` its row counts and `steps`; `before` and `after` map figures of
    agreement with the teacher on the validation questions to values, and are empty without such questions.
    """
    settings = config["training"]
    rows = "\n".join(f"| {name} | {before[name]:.4g} | {after[name]:.4g} |" for name in after)
    agreement = f"| figure | before | after |\n|---|---|---|\n{rows}" if rows else "There was no validation split."
    return f"""{HEAD}
# Judge: does an answer mean the same as a reference?

A causal language model that reads a question, the last line of a solution and a reference answer, filled into the
template `{config["template"]}` as one chat message, and says YES or NO as its first token. The soft reward is
P(YES) / (P(YES) + P(NO)).

## Data

Distilled from the hard verdicts of a larger teacher on the rollouts of an exploration run, last lines only:
{counts["train_rollouts"]} training rollouts, {counts["distinct"]} distinct answers. {counts["examples"]} examples
were drawn in proportion to how often an answer was given, verdicts balanced ({counts["examples_yes"]} YES).
{counts["adversarial_negatives"]} strings that answer nothing were added and labelled NO; the probes of the audit were
not among them. Questions of the validation and audit splits were not seen. No ground truth was used.

## Training

Cross-entropy on the verdict token, AdamW, {counts["steps"]} steps of {settings["batch"]}, learning rate
{settings["lr"]:g}, weight decay {settings["weight_decay"]:g}, {settings["epochs"]} epoch(s), seed {config["seed"]}.

## Agreement with the teacher on questions held out from training

{agreement}

The audit beside this model measures it against the truth, by subject, and on probes.

## Limits

It repeats its teacher's mistakes. It was trained on answers of one policy in its exploration and can be wrong about
answers of another kind. A balanced training set shifts P(YES) against the rate at which answers are right. Its verdict
can hang on how an answer is put. Answers without any content are to be refused before it is asked.
"""
