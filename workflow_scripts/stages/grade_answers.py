"""Grade sampled answers: by truth, rule, containment and teacher, side by side. A grader not asked for gives nulls."""

from typing import Any

from workflow_scripts.artifacts import Stage, StageError, run_stage

KEYS = ("benchmark", "question_id", "subject", "level", "sample")


def build(stage: Stage) -> None:
    from workflow_scripts.artifacts.schemas import ANSWERS, GRADES

    answers = stage.read("answers", "answers.parquet", ANSWERS).to_pylist()
    judge = _load_teacher(stage)
    columns: dict[str, list] = {name: [] for name in GRADES.names}
    for benchmark, settings in sorted(stage.config["benchmarks"].items()):
        rows = [row for row in answers if row["benchmark"] == benchmark]
        if not rows:
            raise StageError(f"{benchmark}: answers.parquet holds no answers of this benchmark")
        for name, values in _grade(stage, benchmark, settings, rows, judge).items():
            columns[name].extend(values)
        stage.log(f"{benchmark}: graded {len(rows)} answers")
    if len(columns["sample"]) != len(answers):
        raise StageError(f"{len(answers)} answers came in, {len(columns['sample'])} grades went out")
    stage.write("grades.parquet", columns, GRADES)
    stage.account(answers=len(answers), grades=len(columns["sample"]))


def _load_teacher(stage: Stage) -> Any:
    if not any("teacher" in settings["graders"] for settings in stage.config["benchmarks"].values()):
        return None
    from workflow_scripts.rewards.judge import load_judge

    return load_judge(stage, "teacher", stage.config)


def _grade(stage: Stage, benchmark: str, settings: dict, rows: list[dict], judge: Any) -> dict[str, list]:
    from workflow_scripts.artifacts.schemas import QUESTIONS
    from workflow_scripts.evaluation.grading import grade_by_judge, grade_by_rule, verdicts_by_rule

    graders, split = settings["graders"], settings["split"]
    questions = {row["question_id"]: row for row in _read(stage, benchmark, f"{split}.parquet", QUESTIONS)}
    if unknown := {row["question_id"] for row in rows} - set(questions):
        raise StageError(f"{benchmark}: {len(unknown)} answered questions are not in split {split!r}")
    prompts, references = ([questions[row["question_id"]][name] for row in rows] for name in ("prompt", "reference"))
    answers, responses = ([row[name] for row in rows] for name in ("answer", "response"))
    columns: dict[str, list] = {name: [row[name] for row in rows] for name in KEYS}
    nulls = [None] * len(rows)
    columns["truth"] = _grade_by_truth(stage, benchmark, split, rows) if "truth" in graders else nulls
    grading = settings.get("grading", "math")
    columns["rule"], columns["rule_verdict"] = nulls, nulls
    if "rule" in graders:
        columns["rule_verdict"] = verdicts_by_rule(responses, references, "verify", grading, stage.log)
        columns["rule"] = [verdict == "equal" for verdict in columns["rule_verdict"]]
    by_contains = grade_by_rule(responses, references, "contains", grading) if "contains" in graders else nulls
    columns["contains"] = by_contains
    columns["teacher"], columns["teacher_p_yes"] = nulls, nulls
    if "teacher" in graders:
        verdicts, p_yes = grade_by_judge(judge, prompts, answers, references)
        columns["teacher"], columns["teacher_p_yes"] = verdicts, p_yes.tolist()
    return columns


def _grade_by_truth(stage: Stage, benchmark: str, split: str, rows: list[dict]) -> list[bool]:
    from workflow_scripts.artifacts.schemas import TRUTH
    from workflow_scripts.evaluation.grading import grade_by_truth

    truths = {row["question_id"]: row["answer"] for row in _read(stage, benchmark, f"{split}.truth.parquet", TRUTH)}
    return grade_by_truth([row["answer"] for row in rows], [truths[row["question_id"]] for row in rows])


def _read(stage: Stage, benchmark: str, file: str, schema: Any) -> list[dict]:
    return stage.read(f"data:{benchmark}", file, schema).to_pylist()


def main(argv: list[str] | None = None) -> int:
    return run_stage("grade_answers", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
