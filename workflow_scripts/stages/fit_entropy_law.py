"""Fit R = -a exp(H) + b and its alternatives to every arm: law, law_intervals and law_points from the arms' metrics."""

from workflow_scripts.artifacts import Stage, StageError, run_stage
from workflow_scripts.artifacts.schemas import LAW, LAW_INTERVALS, LAW_POINTS, METRICS, VALIDATION


def build(stage: Stage) -> None:
    from workflow_scripts.analysis.arms import read_arms
    from workflow_scripts.analysis.curves import validation_curve
    from workflow_scripts.analysis.law_tables import as_columns, interval_rows, law_rows, point_rows
    from workflow_scripts.analysis.results import law_points

    early_share = stage.config["early_share"]
    if not 0 < early_share < 1:
        raise StageError(f"early_share: {early_share} is not between 0 and 1")
    tables = {
        "law": (LAW, law_rows, []),
        "law_intervals": (LAW_INTERVALS, interval_rows, []),
        "law_points": (LAW_POINTS, point_rows, []),
    }
    for arm in read_arms(stage.config["arms"]):
        source = f"policy:{arm.role}"
        curve = validation_curve(stage.read(source, "validation.parquet", VALIDATION))
        points = law_points(stage.read(source, "metrics.parquet", METRICS), curve)
        for _, make, rows in tables.values():
            rows += make(arm, points, early_share)
    for name, (schema, _, rows) in tables.items():
        stage.write(f"{name}.parquet", as_columns(rows, schema.names), schema)
    stage.account(arms=len(stage.config["arms"]), points=len(tables["law_points"][2]))


def main(argv: list[str] | None = None) -> int:
    return run_stage("fit_entropy_law", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
