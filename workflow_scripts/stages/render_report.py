"""Render the report: index.html (self-contained), headline.txt, tables/*.csv and figures/*.svg."""

import re

from workflow_scripts.artifacts import Stage, StageError, read_json, read_provenance, run_stage
from workflow_scripts.artifacts.analysis_schemas import COMPARISON_TABLES, LAW_TABLES
from workflow_scripts.artifacts.schemas import AUDIT_TABLES, METRICS, QUESTIONS, VALIDATION


def build(stage: Stage) -> None:
    from workflow_scripts.analysis.report import page
    from workflow_scripts.analysis.report.plain import plain_text

    data = read_data(stage)
    sections = page.make_sections(data)
    texts = {"index.html": page.render(data, sections), "headline.txt": plain_text(data), **page.files(sections)}
    for name, text in texts.items():
        path = stage.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    stage.account(sections=len(sections), files=len(texts))


def read_data(stage: Stage):
    """All inputs of the report, read and verified."""
    from workflow_scripts.analysis.arms import read_arms, read_baselines
    from workflow_scripts.analysis.curves import validation_curve
    from workflow_scripts.analysis.report.data import ReportData, seed_of
    from workflow_scripts.analysis.report.style import make_look

    arms, baselines = read_arms(stage.config["arms"]), read_baselines(stage.config.get("baselines", []))
    data = ReportData(stage.config, arms, baselines, make_look(arms), dict(stage.inputs))
    for role, tables in (("law", LAW_TABLES), ("comparison", COMPARISON_TABLES)):
        for name, schema in tables.items():
            data.tables[name] = stage.read(role, f"{name}.parquet", schema).to_pylist()
    for arm in arms:
        source = f"policy:{arm.role}"
        data.curves[arm.role] = validation_curve(stage.read(source, "validation.parquet", VALIDATION))
        data.metrics[arm.role] = stage.read(source, "metrics.parquet", METRICS)
    for role in sorted(role for role in stage.inputs if role.startswith("audit:")):
        rows = {name: stage.read(role, f"{name}.parquet", schema) for name, schema in AUDIT_TABLES.items()}
        data.audits[seed_of(role)] = {name: table.to_pylist() for name, table in rows.items()}
    read_answers(stage, data)
    read_records(stage, data)
    return data


def read_answers(stage: Stage, data) -> None:
    """A sample of every policy's graded answers, with their questions, for the explorer and the examples."""
    from workflow_scripts.analysis.report.explorer import ROWS
    from workflow_scripts.analysis.report.sampling import draw
    from workflow_scripts.evaluation.tables import answers_of, grades_of

    policies = [
        arm
        for arm in data.baselines + data.arms
        if not {f"answers:{arm.role}", f"grades:{arm.role}"} - set(stage.inputs)
    ]
    for arm in policies:
        answers, grades = answers_of(stage, f"answers:{arm.role}"), grades_of(stage, f"grades:{arm.role}")
        try:
            sampled = draw(arm.role, answers, grades, max(ROWS // len(policies), 1))
        except ValueError as error:
            raise StageError(f"grades:{arm.role}: {error}") from error
        for row in sampled.rows:
            row["data"] = read_questions(stage, data, row["benchmark"], arm.seed)
        data.sampled[arm.role] = sampled


def read_questions(stage: Stage, data, benchmark: str, seed: int) -> str:
    """Read the questions of a benchmark and seed, once; return the name under which the report keeps them."""
    dataset, _, split = str(stage.config["settings"]["benchmarks"][benchmark]["data"]).partition(".")
    known = [role for role in sorted(stage.inputs) if re.fullmatch(rf"data:{re.escape(dataset)}\.s\d+", role)]
    wanted = f"data:{dataset}.s{seed}"
    role = wanted if wanted in known else next(iter(known), "")
    name = f"{role}:{split}"
    if name not in data.questions:
        rows = stage.read(role, f"{split}.parquet", QUESTIONS).to_pylist() if role else []
        data.questions[name] = {row["question_id"]: row for row in rows}
    return name


def read_records(stage: Stage, data) -> None:
    """Manifests (row counts) and provenance (run time) of all inputs; neither decides a number."""
    for role, folder in stage.inputs.items():
        manifest = next(iter(sorted(folder.glob("manifest*.json"))), None)
        if manifest:
            data.manifests[role] = read_json(manifest)
        if (folder / "provenance.json").is_file():
            data.provenance[role] = read_provenance(folder)


def main(argv: list[str] | None = None) -> int:
    return run_stage("render_report", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
