"""Compare the arms: accuracy, paired differences, pass@k, maj@k, entropy at equal accuracy, verdicts on the claims."""

from workflow_scripts.artifacts import Stage, StageError, run_stage
from workflow_scripts.artifacts.analysis_schemas import COMPARISON_TABLES
from workflow_scripts.artifacts.schemas import AUDIT, METRICS, PROBES, VALIDATION, VOTES


def build(stage: Stage) -> None:
    from workflow_scripts.analysis.answer_tables import majority_rows, rate_rows
    from workflow_scripts.analysis.claims import claim_rows
    from workflow_scripts.analysis.comparison import (
        accuracy_rows,
        difference_rows,
        entropy_rows,
        grader_error_rows,
        pass_at_k_rows,
    )
    from workflow_scripts.analysis.quantities import measure

    results = read_results(stage)
    claims = stage.config.get("claims") or []
    if isinstance(claims, dict):
        claims = claims.get("claims", [])
    try:
        verdicts = claim_rows(claims, lambda quantity: measure(results, quantity))
    except ValueError as error:
        raise StageError(str(error)) from error
    rows = {
        "comparison": accuracy_rows(results, per_subject=False),
        "by_subject": accuracy_rows(results, per_subject=True),
        "differences": difference_rows(results),
        "grader_errors": grader_error_rows(results),
        "pass_at_k": pass_at_k_rows(results),
        "maj_at_k": majority_rows(results),
        "answer_rates": rate_rows(results),
        "entropy_at_equal_accuracy": entropy_rows(results),
        "claims": verdicts,
        "index": index_rows(stage),
    }
    for name, schema in COMPARISON_TABLES.items():
        stage.write(f"{name}.parquet", rows[name], schema)
    stage.account(arms=len(results.arms), baselines=len(results.baselines), claims=len(verdicts))


def read_results(stage: Stage):
    """Curves and law points of the trained arms, grades of all policies, and the audits, from the inputs."""
    from workflow_scripts.analysis.answers import read_answers
    from workflow_scripts.analysis.arms import read_arms, read_baselines
    from workflow_scripts.analysis.curves import curves_by_subject, validation_curve
    from workflow_scripts.analysis.grades import read_grades
    from workflow_scripts.analysis.results import Audit, Results, law_points, step_columns
    from workflow_scripts.evaluation.tables import answers_of, grades_of

    results = Results(read_arms(stage.config["arms"]), read_baselines(stage.config.get("baselines", [])))
    for arm in results.arms:
        source = f"policy:{arm.role}"
        if source in stage.inputs:
            validation = stage.read(source, "validation.parquet", VALIDATION)
            metrics = stage.read(source, "metrics.parquet", METRICS)
            results.curves[arm.role] = validation_curve(validation)
            results.accuracies[arm.role] = curves_by_subject(validation)
            results.steps[arm.role] = step_columns(metrics)
            results.points[arm.role] = law_points(metrics, results.curves[arm.role])
    for arm in results.baselines + results.arms:
        if f"grades:{arm.role}" in stage.inputs:
            grades = grades_of(stage, f"grades:{arm.role}")
            results.grades[arm.role] = read_grades(grades)
            if f"answers:{arm.role}" in stage.inputs:
                answers = answers_of(stage, f"answers:{arm.role}")
                try:
                    results.answers[arm.role] = read_answers(answers, grades, results.grades[arm.role])
                except ValueError as error:
                    raise StageError(f"answers:{arm.role}: {error}") from error
    for role in sorted(stage.inputs):
        if role.startswith("audit:"):
            judge, _, seed = role.partition(":")[2].rpartition(".s")
            tables = (("audit", AUDIT), ("votes", VOTES), ("probes", PROBES))
            rows = (stage.read(role, f"{name}.parquet", schema).to_pylist() for name, schema in tables)
            results.audits[judge, int(seed)] = Audit(*rows)
    for group in ("control", "ood"):
        results.groups[group] = stage.config.get(f"{group}_subjects", [])
    return results


def index_rows(stage: Stage) -> list[dict[str, str]]:
    """Role, name and key of every input: which artifacts the tables were made from."""
    rows = []
    for role, folder in sorted(stage.inputs.items()):
        name, _, key = folder.name.rpartition("-")
        rows.append({"role": role, "name": name, "key": key})
    return rows


def main(argv: list[str] | None = None) -> int:
    return run_stage("compare_results", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
