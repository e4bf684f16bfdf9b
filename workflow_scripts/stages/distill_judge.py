"""Distil the teacher into the judge: fine-tune the judge base on the teacher's verdict token (2503.23829, 3.3, step 2).

Only the verdict is learnt, no end token: a judge is read by its first token. Questions of the validation and audit
splits are never seen. The result is an ordinary Hugging Face directory with a model card.
"""

import math
from typing import Any

from workflow_scripts.artifacts import Stage, StageError, run_stage


def build(stage: Stage) -> None:
    from workflow_scripts.artifacts.schemas import LABELS, OPENERS, TRAINING
    from workflow_scripts.models.loading import save_model
    from workflow_scripts.models.sft import fit
    from workflow_scripts.rewards.judge import Judge

    labels = stage.read("labels", "labels.parquet", LABELS).to_pylist()
    openers = stage.read("labels", "openers.parquet", OPENERS)["line"].to_pylist()
    settings = stage.config["training"]
    judge = Judge.load(stage.path("judge_base", "model"), stage.config["template"], stage.config.get("batch", 256))
    before = validate(judge, labels)
    triples, verdicts, counts = training_examples(labels, openers, stage.config)
    if not triples:
        raise StageError("labels.parquet: the training split is empty, there is nothing to distil")
    prompts = {triple: judge.encode(*triple) for triple in dict.fromkeys(triples)}
    answer = {True: [judge.tokens.yes[0]], False: [judge.tokens.no[0]]}
    examples = [(prompts[triple], answer[verdict]) for triple, verdict in zip(triples, verdicts, strict=True)]
    steps = settings["epochs"] * math.ceil(len(examples) / settings["batch"])
    training = fit(
        judge.model,
        examples,
        steps=steps,
        batch=settings["batch"],
        lr=settings["lr"],
        warmup=round(settings["warmup"] * steps),
        weight_decay=settings["weight_decay"],
        seed=stage.config["seed"],
        stage=stage,
    )
    judge.model.eval()
    after = validate(judge, labels)
    save_model(judge.model, judge.tokenizer, stage.out / "model")
    card = write_card(stage.config, counts | {"steps": steps}, before, after)
    (stage.out / "model" / "README.md").write_text(card, encoding="utf-8")
    stage.write("training.parquet", training, TRAINING)
    stage.account(**counts)


def training_examples(labels: list[dict], openers: list[str], config: dict) -> tuple[list[tuple], list[bool], dict]:
    """(triples, verdicts, counts): the balanced training split and, if asked for, adversarial negatives."""
    import numpy as np

    from workflow_scripts.rewards.distillation import sample_balanced, trainable
    from workflow_scripts.rewards.negatives import SHARE, adversarial_negatives

    rng = np.random.default_rng(config["seed"])
    rows = trainable(labels)
    sampled = sample_balanced(rows, rng)
    wanted = round(SHARE * len(sampled)) if config["adversarial_negatives"] else 0
    negatives = adversarial_negatives(rows, openers, wanted, rng)
    triples = [(row["prompt"], row["answer"], row["reference"]) for row in sampled] + negatives
    verdicts = [row["verdict"] for row in sampled] + [False] * len(negatives)
    in_training = [row for row in labels if row["split"] == "train"]
    counts = {
        "train_rollouts": sum(row["count"] for row in in_training),
        "not_trained_on": sum(row["count"] for row in in_training) - sum(row["count"] for row in rows),
        "distinct": len(rows),
        "examples": len(sampled),
        "examples_yes": sum(row["verdict"] for row in sampled),
        "adversarial_negatives": len(negatives),
    }
    return triples, verdicts, counts


def validate(judge: Any, labels: list[dict]) -> dict[str, float]:
    """Agreement with the teacher on the validation questions; empty where there is no validation split."""
    from workflow_scripts.evaluation.agreement import confusion
    from workflow_scripts.rewards.judge import judge_answers

    rows = [row for row in labels if row["split"] == "validation"]
    if not rows:
        return {}
    scores = judge_answers(judge, *([row[name] for row in rows] for name in ("prompt", "answer", "reference")))
    found = confusion(scores.verdicts, [row["verdict"] for row in rows], [row["count"] for row in rows])
    return {
        "rollouts": found.n,
        "accuracy": found.accuracy,
        "balanced accuracy": found.balanced_accuracy,
        "Cohen's kappa": found.kappa,
    }


def write_card(config: dict, counts: dict[str, int], before: dict[str, float], after: dict[str, float]) -> str:
    """Model card in Markdown; the same for the same inputs."""
    settings = config["training"]
    rows = "\n".join(f"| {name} | {before[name]:.4g} | {after[name]:.4g} |" for name in after)
    agreement = f"| figure | before | after |\n|---|---|---|\n{rows}" if rows else "There was no validation split."
    return f"""# Judge: does an answer mean the same as a reference?

A causal language model that reads a question, the last line of a solution and a reference answer, filled into the
template `{config["template"]}` as one chat message, and says YES or NO as its first token. The soft reward is
P(YES) / (P(YES) + P(NO)).

## Data

Distilled from the hard verdicts of a larger teacher on the rollouts of an exploration run, last lines only:
{counts["train_rollouts"]} training rollouts, {counts["distinct"]} distinct answers. {counts["examples"]} examples
were drawn in proportion to how often an answer was given, verdicts balanced ({counts["examples_yes"]} YES).
{counts["adversarial_negatives"]} strings that answer nothing were added and labelled NO; the probes of the audit were
not among them. No ground truth was used.

## Training

Cross-entropy on the verdict token, AdamW, {counts["steps"]} steps of {settings["batch"]}, learning rate
{settings["lr"]:g}, weight decay {settings["weight_decay"]:g}, {settings["epochs"]} epoch(s), seed {config["seed"]}.

## Agreement with the teacher on questions held out from training

{agreement}

The audit beside this model measures it against the truth, by subject, and on probes.

## Limits

It repeats its teacher's mistakes. It was trained on answers of one policy in its exploration and can be wrong about
answers of another kind. A balanced training set shifts P(YES) against the rate at which answers are right. Answers
without any content are to be refused before it is asked.
"""


def main(argv: list[str] | None = None) -> int:
    return run_stage("distill_judge", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
