"""Distil the teacher into the judge: fine-tune the judge base on the teacher's verdict token (2503.23829, 3.3, step 2).

Only the verdict is learnt, no end token: a judge is read by its first token. Questions of the validation and audit
splits are never seen. The result is an ordinary Hugging Face directory with a model card. Under several ranks the
training backend shares the work.
"""

import math
from typing import Any

from workflow_scripts.artifacts import Stage, StageError, run_stage

# Of `training`, what an update is computed by.
COMPUTATION = (
    "weight_decay",
    "micro_batch_tokens",
    "backend",
    "precision",
    "offload",
    "activation_checkpointing",
    "packing",
)


def build(stage: Stage) -> None:
    """Reads labels and judge base. Writes model/, with the card, and training.parquet."""
    from workflow_scripts.artifacts.schemas import LABELS, OPENERS, TRAINING
    from workflow_scripts.rewards.card import model_card
    from workflow_scripts.rewards.judge import judge_of, load_judge

    labels = stage.read("labels", "labels.parquet", LABELS).to_pylist()
    openers = stage.read("labels", "openers.parquet", OPENERS)["line"].to_pylist()
    triples, verdicts, counts = training_examples(labels, openers, stage.config)
    with load_judge(stage, "judge_base", stage.config) as base:
        before, tokenizer = validate(base, labels, stage), base.tokenizer
        examples = encode(base, triples, verdicts)
    del base  # its weights make room for those that are trained
    if not examples:
        raise StageError("labels.parquet: the training split is empty, there is nothing to distil")
    training = distil(examples, tokenizer, stage)
    with judge_of(stage.out / "model", stage, stage.config) as judge:
        after = validate(judge, labels, stage)
    if stage.ranks.first:
        card = model_card(stage.config, counts | {"steps": len(training["step"])}, before, after)
        (stage.out / "model" / "README.md").write_text(card, encoding="utf-8")
    stage.write("training.parquet", training, TRAINING)
    stage.account(**counts, too_long=len(triples) - len(examples))


def encode(judge: Any, triples: list[tuple], verdicts: list[bool]) -> list[tuple[list[int], list[int]]]:
    """(prompt, verdict token) of each triple that fits what the judge reads."""
    prompts = {triple: judge.encode(*triple) for triple in dict.fromkeys(triples)}
    answer = {True: [judge.tokens.yes[0]], False: [judge.tokens.no[0]]}
    pairs = zip(triples, verdicts, strict=True)
    return [(prompts[triple], answer[verdict]) for triple, verdict in pairs if prompts[triple] is not None]


def distil(examples: list[tuple[list[int], list[int]]], tokenizer: Any, stage: Stage) -> dict[str, list]:
    """Train the judge base and write model/; TRAINING columns."""
    from workflow_scripts.models.sft import BETAS, Schedule, fit
    from workflow_scripts.rl.backends import load_start, make_backend
    from workflow_scripts.rl.settings import UpdateSettings

    settings = stage.config["training"]
    steps = settings["epochs"] * math.ceil(len(examples) / settings["batch"])
    update = UpdateSettings(
        minibatches=1, lr=settings["lr"], betas=BETAS, **{name: settings[name] for name in COMPUTATION}
    )
    schedule = Schedule(
        steps=steps,
        batch=settings["batch"],
        lr=settings["lr"],
        warmup=round(settings["warmup"] * steps),
        seed=stage.config["seed"],
        micro_batch_tokens=settings["micro_batch_tokens"],
    )
    try:
        model = load_start(stage.path("judge_base", "model"), update)
        backend = make_backend(model, update, stage.ranks, rollout_copy=False)
    except ValueError as error:
        raise StageError(f"training: {error}") from None
    training = fit(backend, examples, schedule, stage)
    backend.save(stage.out / "model", tokenizer)
    stage.ranks.share(None)  # the others read what the first one has written
    return training


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


def validate(judge: Any, labels: list[dict], stage: Stage) -> dict[str, float]:
    """Agreement with the teacher on the validation questions; empty where there is no validation split."""
    import numpy as np

    from workflow_scripts.evaluation.agreement import confusion, expected_calibration_error, reliability
    from workflow_scripts.evaluation.raters import rate

    rows = [row for row in labels if row["split"] == "validation"]
    if not rows:
        return {}
    scores = rate(judge, rows, stage.ranks)
    actual, weights = (np.array([row[name] for row in rows]) for name in ("verdict", "count"))
    found = confusion(scores.verdicts, actual, weights)
    return {
        "rollouts": found.n,
        "accuracy": found.accuracy,
        "balanced accuracy": found.balanced_accuracy,
        "Cohen's kappa": found.kappa,
        "expected calibration error": expected_calibration_error(reliability(scores.p_yes, actual, weights)),
    }


def main(argv: list[str] | None = None) -> int:
    return run_stage("distill_judge", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
