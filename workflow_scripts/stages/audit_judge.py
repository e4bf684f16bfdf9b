"""Audit the judge before any arm trains on it: agreement, votes, calibration, probes, and the gate.

All on the audit split of the exploration rollouts, malformed answers included: questions that neither the teacher's own
training nor the distillation has seen. Ground truth is used where the data set has it, to measure and for nothing else.
The stage succeeds whether or not the gate opens: the report shows the figures, the arms refuse a judge that failed.
Under several ranks each judges its part of the answers.
"""

from pathlib import Path
from typing import Any

from workflow_scripts.artifacts import Stage, StageError, run_stage

MODELS = {"teacher": "teacher", "base": "judge_base", "distilled": "judge"}  # name in the tables -> input
SHELF = "shelf:"  # prefix of the models that are compared as they are, off the shelf


def build(stage: Stage) -> None:
    from workflow_scripts.artifacts.schemas import AUDIT_TABLES, LABELS
    from workflow_scripts.evaluation.audit import agreement_rows, reliability_rows, uncertainty_rows, vote_rows
    from workflow_scripts.evaluation.gate import gate_figures, gate_rows
    from workflow_scripts.evaluation.passed import missed
    from workflow_scripts.evaluation.probing import probe_rows, worst_false_positive_rate
    from workflow_scripts.evaluation.raters import rate
    from workflow_scripts.evaluation.wording import chosen_rows, worst_wording

    labels = stage.read("labels", "labels.parquet", LABELS).to_pylist()
    rows = [row for row in labels if row["split"] == "audit"]
    if not rows:
        raise StageError("labels.parquet: the audit split is empty")
    truths = read_truths(stage)
    questions = list({row["question_id"]: row for row in rows}.values())
    reworded = chosen_rows(rows, stage.config["wording_answers"], stage.config["seed"])
    scores, probes, wording = {}, [], []
    for name, judge in judges(stage):  # one at a time: the largest may fill a machine
        scores[name] = rate(judge, rows, stage.ranks)
        if name == "second":
            continue
        probes += probe_rows(name, judge, questions, stage.ranks)
        wording += reworded_rows(stage, name, judge, reworded, truths)
    items = collect(stage, rows, labels, scores, truths)
    audit = agreement_rows(items) + uncertainty_rows(items, "teacher")
    worst = worst_false_positive_rate(probes, "distilled"), worst_wording(wording, "distilled")
    gate = gate_rows(gate_figures(audit, *worst), stage.config["gate"])
    stage.log(f"gate: {missed(gate) or 'passed'}")
    tables = {"audit": audit, "probes": probes, "wording": wording, "gate": gate}
    tables |= {"votes": vote_rows(items, [row["votes"] for row in rows]), "reliability": reliability_rows(items)}
    for name, schema in AUDIT_TABLES.items():
        stage.write(f"{name}.parquet", tables[name], schema)
    stage.account(
        rollouts=sum(row["count"] for row in rows),
        distinct=len(rows),
        questions=len(questions),
        reworded=len(reworded),
        rated_by_second=int(items.rated.sum()) if items.rated is not None else 0,
    )


def judges(stage: Stage) -> Any:
    """(name, judge) of all models that rate: teacher, judge before and after distillation, those off the shelf.

    The teacher's labels are those of the label table; it is here for the probes, under the judge's template.
    """
    from workflow_scripts.rewards.judge import load_judge

    config = stage.config
    own = {name: {"template": config["template"], "judging": config["judging"][name]} for name in MODELS}
    roles = {name: (role, own[name]) for name, role in MODELS.items()}
    roles |= {f"{SHELF}{name}": (f"compare:{name}", other) for name, other in config["compare"].items()}
    if "second" in stage.inputs:
        roles["second"] = ("second", config["second_rater"])
    for name, (role, settings) in roles.items():
        with load_judge(stage, role, settings) as judge:
            yield name, judge


def reworded_rows(stage: Stage, name: str, judge: Any, rows: list[dict], truths: dict[str, str] | None) -> list[dict]:
    """WORDING rows of one judge; a generator that knows its forms restates each answer in another one."""
    from workflow_scripts.data.nano_world.restated import in_another_form
    from workflow_scripts.evaluation.raters import rate
    from workflow_scripts.evaluation.wording import wording_rows

    forms = [in_another_form(row["answer"], truths[row["question_id"]]) for row in rows] if truths else None
    return wording_rows(name, lambda reworded: rate(judge, reworded, stage.ranks), rows, forms)


def collect(stage: Stage, rows: list[dict], labels: list[dict], scores: dict, truths: dict[str, str] | None) -> Any:
    """Verdicts of everybody on the audit rows; the teacher's are its labels, majority its sampled votes."""
    import numpy as np

    from workflow_scripts.evaluation.audit import Items
    from workflow_scripts.evaluation.graders.rule import accepted_by_rule
    from workflow_scripts.evaluation.graders.truth import right_by_truth
    from workflow_scripts.rewards.votes import majority

    answers, references = ([row[name] for row in rows] for name in ("answer", "reference"))
    verdicts = {"teacher": np.array([row["verdict"] for row in rows])}
    p_yes = {"teacher": np.array([row["p_yes"] for row in rows], dtype=np.float64)}
    for name, found in scores.items():
        if name != "teacher":
            verdicts[name], p_yes[name] = found.verdicts, found.p_yes
    verdicts["constant"] = np.full(len(rows), commonest_verdict(labels))
    verdicts["string"] = np.array([a == r.strip() for a, r in zip(answers, references, strict=True)])
    grading = stage.config.get("grading", "math")
    verdicts["contains"] = np.array(accepted_by_rule(answers, references, "contains", grading))
    verdicts["rule"] = np.array(accepted_by_rule(answers, references, "verify", grading))
    if all(row["votes"] for row in rows):
        verdicts["majority"] = np.array([majority(row["votes"]) for row in rows])
    if truths is not None:
        verdicts["truth"] = np.array(right_by_truth(answers, [truths[row["question_id"]] for row in rows]))
    rated = imported(stage, rows, verdicts)
    weights = np.array([row["count"] for row in rows], dtype=np.float64)
    return Items(np.array([row["subject"] for row in rows]), weights, verdicts, p_yes, rated)


def imported(stage: Stage, rows: list[dict], verdicts: dict) -> Any:
    """Put a second rater's imported verdicts among the others; which answers it rated, None without such a file."""
    from workflow_scripts.evaluation.raters import imported_verdicts

    second = stage.config["second_rater"]
    if not second or second["kind"] != "file":
        return None
    verdicts["second"], rated = imported_verdicts(Path(second["path"]), second["sha256"], rows)
    return rated


def commonest_verdict(labels: list[dict]) -> bool:
    """The constant rater: the verdict that the teacher gave most often on the training rollouts."""
    signed = sum(row["count"] if row["verdict"] else -row["count"] for row in labels if row["split"] == "train")
    return signed > 0


def read_truths(stage: Stage) -> dict[str, str] | None:
    """The true answer by question, in the generator's notation; None for a data set without ground truth."""
    from workflow_scripts.artifacts.schemas import TRUTH

    file = f"{stage.config['split']}.truth.parquet"
    if not stage.has("data", file):
        return None
    return {row["question_id"]: row["answer"] for row in stage.read("data", file, TRUTH).to_pylist()}


def main(argv: list[str] | None = None) -> int:
    return run_stage("audit_judge", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
