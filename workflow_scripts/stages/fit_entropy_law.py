"""Fit R = -a exp(H) + b and its alternatives to every arm: fits, predictions, verdicts, collapse and covariance."""

from workflow_scripts.artifacts import Stage, StageError, read_json, run_stage
from workflow_scripts.artifacts.analysis_schemas import LAW_TABLES
from workflow_scripts.artifacts.schemas import METRICS, VALIDATION


def build(stage: Stage) -> None:
    from workflow_scripts.analysis.arms import read_arms
    from workflow_scripts.analysis.collapse import collapse_rows, series_of
    from workflow_scripts.analysis.covariance import correlation_rows, quantile_rows
    from workflow_scripts.analysis.curves import validation_curve

    if not 0 < stage.config["early_share"] < 1:
        raise StageError(f"early_share: {stage.config['early_share']} is not between 0 and 1")
    arms, metrics, curves = read_arms(stage.config["arms"]), {}, {}
    for arm in arms:
        metrics[arm.role] = stage.read(f"policy:{arm.role}", "metrics.parquet", METRICS)
        curves[arm.role] = validation_curve(stage.read(f"policy:{arm.role}", "validation.parquet", VALIDATION))
    tables = law_tables(stage, arms, metrics, curves)
    columns = {role: table.to_pydict() for role, table in metrics.items()}
    series = [(arm, series_of(curves[arm.role], columns[arm.role])) for arm in arms]
    tables["collapse"] = collapse_rows(series, stage.config.get("null_algorithms", []))
    tables["covariance"] = quantile_rows([(arm, columns[arm.role]) for arm in arms])
    tables["entropy_change"] = correlation_rows([(arm, columns[arm.role], curves[arm.role]) for arm in arms])
    for name, schema in LAW_TABLES.items():
        stage.write(f"{name}.parquet", tables[name], schema)
    stage.account(arms=len(arms), points=len(tables["law_points"]))


def law_tables(stage: Stage, arms: list, metrics: dict, curves: dict) -> dict[str, list[dict]]:
    """Rows of the LAW tables, each under both readings of the entropy."""
    from workflow_scripts.analysis import law_tables as per_arm
    from workflow_scripts.analysis.law_contrasts import LawRun, contrast_rows, size_rows
    from workflow_scripts.analysis.law_verdicts import verdict_rows
    from workflow_scripts.analysis.results import ENTROPIES, law_points

    share, null = stage.config["early_share"], stage.config.get("null_algorithms", [])
    makers = {
        "law": per_arm.law_rows,
        "law_intervals": per_arm.interval_rows,
        "law_points": per_arm.point_rows,
        "law_prediction": per_arm.prediction_rows,
    }
    tables: dict[str, list[dict]] = {name: [] for name in LAW_TABLES}
    sizes = {arm.role: parameters(stage, arm.role) for arm in arms}
    for entropy_of in ENTROPIES:
        points = {arm.role: law_points(metrics[arm.role], curves[arm.role], entropy_of) for arm in arms}
        for name, make in makers.items():
            tables[name] += [row for arm in arms for row in make(arm, entropy_of, points[arm.role], share)]
        runs = [LawRun(arm, points[arm.role], sizes[arm.role]) for arm in arms]
        tables["law_verdicts"] += verdict_rows(runs, entropy_of, share, null)
        tables["law_contrasts"] += contrast_rows(runs, entropy_of)
        tables["law_sizes"] += size_rows(runs, entropy_of)
    return tables


def parameters(stage: Stage, role: str) -> int | None:
    """Parameters of an arm's policy without embeddings; None where its architecture does not tell."""
    from workflow_scripts.analysis.model_size import non_embedding_parameters

    file = "model/config.json"
    if not stage.has(f"policy:{role}", file):
        return None
    return non_embedding_parameters(read_json(stage.path(f"policy:{role}", file)))


def main(argv: list[str] | None = None) -> int:
    return run_stage("fit_entropy_law", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
