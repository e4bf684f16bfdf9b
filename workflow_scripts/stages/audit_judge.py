"""Audit the judge before any arm trains on it: agreement, calibration, probes, and the gate.

All on the audit split of the exploration rollouts, malformed answers included: questions that neither the teacher's own
training nor the distillation has seen. Ground truth is used where the data set has it, to measure and for nothing else.
The stage succeeds whether or not the gate opens: the report shows the figures, the arms refuse a judge that failed.
"""

from typing import Any

from workflow_scripts.artifacts import Stage, StageError, run_stage


def build(stage: Stage) -> None:
    from workflow_scripts.artifacts.schemas import AUDIT, LABELS, PROBES, RELIABILITY
    from workflow_scripts.evaluation.audit import agreement_rows, gate_rows, reliability_rows, uncertainty_rows
    from workflow_scripts.evaluation.probing import probe_rows, worst_false_positive_rate

    labels = stage.read("labels", "labels.parquet", LABELS).to_pylist()
    rows = [row for row in labels if row["split"] == "audit"]
    if not rows:
        raise StageError("labels.parquet: the audit split is empty")
    judges = load_judges(stage)
    items = collect(stage, rows, labels, judges)
    references = ("teacher", *(name for name in ("majority", "truth") if name in items.verdicts))
    questions = list({row["question_id"]: row for row in rows}.values())
    probes = [row for name, judge in judges.items() for row in probe_rows(name, judge, questions)]
    audit = agreement_rows(items, references) + uncertainty_rows(items, "teacher")
    worst = worst_false_positive_rate(probes, "distilled")
    audit += gate_rows(audit, worst, len(questions), stage.config["gate"])
    _write(stage, "audit.parquet", audit, AUDIT)
    _write(stage, "probes.parquet", probes, PROBES)
    _write(stage, "reliability.parquet", reliability_rows(items, references[-1]), RELIABILITY)
    stage.account(rollouts=sum(row["count"] for row in rows), distinct=len(rows), questions=len(questions))


def load_judges(stage: Stage) -> dict[str, Any]:
    """Teacher, judge before and judge after distillation, under the judge's template."""
    from workflow_scripts.rewards.judge import Judge

    roles = {"teacher": "teacher", "base": "judge_base", "distilled": "judge"}
    settings = (stage.config["template"], stage.config.get("batch", 256))
    return {name: Judge.load(stage.path(role, "model"), *settings) for name, role in roles.items()}


def collect(stage: Stage, rows: list[dict], labels: list[dict], judges: dict[str, Any]) -> Any:
    """Verdicts of everybody on the audit rows; the teacher's are its labels, majority its sampled votes."""
    import numpy as np

    from workflow_scripts.evaluation.audit import Items
    from workflow_scripts.evaluation.grading import grade_by_rule
    from workflow_scripts.rewards.judge import judge_answers
    from workflow_scripts.rewards.votes import majority

    questions, answers, references = ([row[name] for row in rows] for name in ("prompt", "answer", "reference"))
    verdicts = {"teacher": np.array([row["verdict"] for row in rows])}
    p_yes = {"teacher": np.array([row["p_yes"] for row in rows], dtype=np.float64)}
    for name in ("base", "distilled"):
        scores = judge_answers(judges[name], questions, answers, references)
        verdicts[name], p_yes[name] = scores.verdicts, scores.p_yes
    verdicts["constant"] = np.full(len(rows), commonest_verdict(labels))
    verdicts["string"] = np.array([a == r.strip() for a, r in zip(answers, references, strict=True)])
    verdicts["contains"] = np.array(grade_by_rule(answers, references, "contains"))
    verdicts["rule"] = np.array(grade_by_rule(answers, references, "verify"))
    if all(row["votes"] for row in rows):
        verdicts["majority"] = np.array([majority(row["votes"]) for row in rows])
    truth = true_verdicts(stage, rows)
    if truth is not None:
        verdicts["truth"] = np.array(truth)
    weights = np.array([row["count"] for row in rows], dtype=np.float64)
    return Items(np.array([row["subject"] for row in rows]), weights, verdicts, p_yes)


def commonest_verdict(labels: list[dict]) -> bool:
    """The constant rater: the verdict that the teacher gave most often on the training rollouts."""
    signed = sum(row["count"] if row["verdict"] else -row["count"] for row in labels if row["split"] == "train")
    return signed > 0


def true_verdicts(stage: Stage, rows: list[dict]) -> list[bool] | None:
    """Whether each answer means the true one; None for a data set without ground truth."""
    from workflow_scripts.artifacts.schemas import TRUTH
    from workflow_scripts.evaluation.grading import grade_by_truth

    file = f"{stage.config['split']}.truth.parquet"
    if not stage.has("data", file):
        return None
    truths = {row["question_id"]: row["answer"] for row in stage.read("data", file, TRUTH).to_pylist()}
    return grade_by_truth([row["answer"] for row in rows], [truths[row["question_id"]] for row in rows])


def _write(stage: Stage, file: str, rows: list[dict], schema: Any) -> None:
    stage.write(file, {name: [row[name] for row in rows] for name in schema.names}, schema)


def main(argv: list[str] | None = None) -> int:
    return run_stage("audit_judge", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
