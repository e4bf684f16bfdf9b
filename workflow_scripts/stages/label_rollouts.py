"""The teacher's labels: every distinct answer of the exploration, judged once, split by question.

The verdicts are those of the exploration's own reward (same model, template and rule for content-free answers),
scored again in one deterministic pass. On the audit split the teacher also votes several times at a temperature. First
lines of solutions are kept beside the labels (`openers.parquet`): the distillation may teach that they are no answers.

The table is labelled shard by shard, and a killed job goes on where it was. An exploration above `rollouts_per_job` is
labelled by several jobs: job i of `jobs` scores its consecutive part of the distinct answers (`scores.parquet`), and
one more job, which needs no model, makes the labels of all scores.
"""

from collections import Counter
from typing import Any

from workflow_scripts.artifacts import Stage, StageError, run_stage
from workflow_scripts.ranks import Ranks

SPLITS = ("train", "validation", "audit")
WARN_LOW_MASS = 0.01


def build(stage: Stage) -> None:
    from workflow_scripts.artifacts.schemas import LABELS, OPENERS, ROLLOUTS, SCORES
    from workflow_scripts.rewards.judge import load_judge
    from workflow_scripts.rewards.labelling import join_scores, label_shards, read_shards

    jobs, job, size = (stage.config[name] for name in ("jobs", "job", "shard_rows"))
    rollouts = stage.read("rollouts", "rollouts.parquet", ROLLOUTS).to_pylist()
    rows = distinct_answers(rollouts, stage.config)
    if job is not None:
        rows = [rows[index] for index in Ranks(job, jobs).part(len(rows))]
    if job is not None or jobs == 1:
        label_shards(stage, lambda: load_judge(stage, "teacher", stage.config), rows, size)
    if not stage.ranks.first:
        return
    if job is not None:
        scores = read_shards(stage, rows, size)
        stage.write("scores.parquet", {"yes": scores.yes, "no": scores.no}, SCORES)
        stage.account(distinct=len(rows))
        return
    parts = [stage.read(f"job:{index}", "scores.parquet", SCORES) for index in range(jobs)] if jobs > 1 else []
    scores = join_scores(parts) if parts else read_shards(stage, rows, size)
    if len(scores.yes) != len(rows):
        raise StageError(f"{len(scores.yes)} scores of {jobs} jobs for {len(rows)} distinct answers")
    add_labels(rows, scores, stage.config)
    openers = solution_openers(rollouts, stage.config)
    stage.write("labels.parquet", rows, LABELS)
    stage.write("openers.parquet", openers, OPENERS)
    _account(stage, rollouts, rows)


def add_labels(rows: list[dict[str, Any]], scores: Any, config: dict) -> None:
    """Verdict, probability, mass and votes of each row."""
    columns = {"p_yes": scores.p_yes, "mass": scores.mass, "low_mass": scores.low_mass, "verdict": scores.verdicts}
    for index, row in enumerate(rows):
        row |= {name: column[index].item() for name, column in columns.items()}
        row["votes"] = _votes(row, bool(scores.answered[index]), config)


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


def _account(stage: Stage, rollouts: list[dict], rows: list[dict]) -> None:
    from workflow_scripts.rewards.content import is_content_free

    counted = sum(row["count"] for row in rows)
    if counted != len(rollouts):
        raise StageError(f"labels.parquet counts {counted} rollouts, rollouts.parquet holds {len(rollouts)}")
    by_split = {split: [row for row in rows if row["split"] == split] for split in SPLITS}
    if empty := [split for split, members in by_split.items() if not members and stage.config.get(f"{split}_share", 1)]:
        raise StageError(f"no labels in split {', '.join(empty)}: too few questions were explored for these shares")
    content_free = sum(is_content_free(row["answer"], row["reference"]) for row in rows)
    low_mass = sum(row["low_mass"] for row in rows)
    if low_mass > WARN_LOW_MASS * len(rows):
        stage.log(f"warning: to {low_mass} of {len(rows)} answers the teacher wanted to say neither YES nor NO")
    stage.account(
        rollouts=len(rollouts),
        distinct=len(rows),
        content_free=content_free,
        too_long=sum(row["mass"] == 0 for row in rows) - content_free,
        low_mass=low_mass,
        **{f"{split}_rollouts": sum(row["count"] for row in members) for split, members in by_split.items()},
    )


def main(argv: list[str] | None = None) -> int:
    return run_stage("label_rollouts", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
