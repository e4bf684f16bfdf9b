"""The teacher's labels: every distinct answer of the exploration, judged once, split by question.

The verdicts are those of the exploration's own reward (same model, template and rule for content-free answers),
scored again in one deterministic pass. On the audit split the teacher also votes several times at a temperature. First
lines of solutions are kept beside the labels (`openers.parquet`): the distillation may teach that they are no answers.
"""

from collections import Counter
from typing import Any

from workflow_scripts.artifacts import Stage, StageError, run_stage

SPLITS = ("train", "validation", "audit")


def build(stage: Stage) -> None:
    from workflow_scripts.artifacts.schemas import LABELS, OPENERS, ROLLOUTS
    from workflow_scripts.rewards.judge import Judge, judge_answers

    rollouts = stage.read("rollouts", "rollouts.parquet", ROLLOUTS).to_pylist()
    rows = distinct_answers(rollouts, stage.config)
    judge = Judge.load(stage.path("teacher", "model"), stage.config["template"], stage.config.get("batch", 256))
    scores = judge_answers(judge, *([row[name] for row in rows] for name in ("prompt", "answer", "reference")))
    for index, row in enumerate(rows):
        row |= {"p_yes": scores.p_yes[index], "mass": scores.mass[index], "verdict": bool(scores.verdicts[index])}
        row["votes"] = _votes(row, bool(scores.answered[index]), stage.config)
    openers = solution_openers(rollouts, stage.config)
    stage.write("labels.parquet", {name: [row[name] for row in rows] for name in LABELS.names}, LABELS)
    stage.write("openers.parquet", {name: [row[name] for row in openers] for name in OPENERS.names}, OPENERS)
    _account(stage, rollouts, rows, scores)


def distinct_answers(rollouts: list[dict[str, Any]], config: dict) -> list[dict[str, Any]]:
    """One row per (question, answer, reference), with its count and the split of its question, in sorted order."""
    counts: Counter[tuple] = Counter()
    known: dict[tuple, dict] = {}
    for row in rollouts:
        place = (row["question_id"], row["answer"], row["reference"])
        counts[place] += 1
        known.setdefault(place, row)
    return [
        {name: known[place][name] for name in ("question_id", "subject", "prompt", "answer", "reference")}
        | {"count": counts[place], "split": split_of(place[0], config)}
        for place in sorted(counts)
    ]


def split_of(question_id: str, config: dict) -> str:
    """train, validation or audit: a function of question and seed, so that all answers to a question stay together."""
    from workflow_scripts.data.text import hash_fraction

    fraction = hash_fraction("split", config["seed"], question_id)
    if fraction < config["audit_share"]:
        return "audit"
    return "validation" if fraction < config["audit_share"] + config["validation_share"] else "train"


def solution_openers(rollouts: list[dict[str, Any]], config: dict) -> list[dict[str, Any]]:
    """Distinct first lines of solutions of several lines to training questions, with counts, in sorted order."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in rollouts:
        lines = [line.strip() for line in row["response"].splitlines() if line.strip()]
        if len(lines) > 1 and split_of(row["question_id"], config) == "train":
            counts[row["question_id"], lines[0]] += 1
    return [{"question_id": place[0], "line": place[1], "count": counts[place]} for place in sorted(counts)]


def _votes(row: dict, answered: bool, config: dict) -> list[bool]:
    from workflow_scripts.rewards.votes import sample_votes

    if row["split"] != "audit":
        return []
    if not answered:  # not asked about, or neither YES nor NO: no vote can be a YES
        return [False] * config["votes"]
    identity = (config["seed"], row["question_id"], row["answer"], row["reference"])
    return sample_votes(row["p_yes"], config["votes"], config["vote_temperature"], *identity)


def _account(stage: Stage, rollouts: list[dict], rows: list[dict], scores: Any) -> None:
    counted = sum(row["count"] for row in rows)
    if counted != len(rollouts):
        raise StageError(f"labels.parquet counts {counted} rollouts, rollouts.parquet holds {len(rollouts)}")
    by_split = {split: [row for row in rows if row["split"] == split] for split in SPLITS}
    if empty := [split for split, members in by_split.items() if not members and stage.config.get(f"{split}_share", 1)]:
        raise StageError(f"no labels in split {', '.join(empty)}: too few questions were explored for these shares")
    stage.account(
        rollouts=len(rollouts),
        distinct=len(rows),
        not_asked=int((scores.mass == 0).sum()),
        low_mass=int(((scores.mass > 0) & ~scores.answered).sum()),
        **{f"{split}_rollouts": sum(row["count"] for row in members) for split, members in by_split.items()},
    )


def main(argv: list[str] | None = None) -> int:
    return run_stage("label_rollouts", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
