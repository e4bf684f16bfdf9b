"""Sample one data set: every split as Parquet, questions distinct and in one split only, everything counted."""

from importlib import import_module

from workflow_scripts.artifacts import Stage, StageError, run_stage
from workflow_scripts.artifacts.schemas import QUESTIONS
from workflow_scripts.data.sources import SOURCES
from workflow_scripts.data.splits import deal
from workflow_scripts.data.text import question_id


def _generate(stage: Stage, module) -> None:
    seen: set[str] = set()
    for name, split in stage.config["splits"].items():
        files, counts = module.make_split(stage.config["source"], name, split, stage.config["seed"])
        ids = set(files[0][1].get("question_id", ()))
        if seen & ids:  # cannot happen while the splits' regions differ
            raise ValueError(f"split {name!r} shares {len(seen & ids)} questions with an earlier one: same `from`?")
        seen |= ids
        for file, columns, schema in files:
            stage.write(file, columns, schema)
        stage.account(**{f"{name}_{count}": value for count, value in counts.items()})


def _collect(stage: Stage, module) -> None:
    source = stage.config["source"]
    dealt, counts = deal(stage.config["splits"], lambda origin: module.load(source, origin), stage.config["seed"])
    for name, rows in dealt.items():
        columns = {key: [row[key] for row in rows] for key in ("subject", "prompt", "reference")}
        ids = [question_id(row["subject"], row["prompt"]) for row in rows]
        stage.write(f"{name}.parquet", {"question_id": ids, **columns}, QUESTIONS)
    stage.account(**counts, kept=sum(map(len, dealt.values())))


def build(stage: Stage) -> None:
    """Write {split}.parquet, and {split}.truth.parquet for generated questions."""
    kind = stage.config["source"]["kind"]
    if kind not in SOURCES:
        raise StageError(f"data source {kind!r} is unknown (known: {', '.join(SOURCES)})")
    module = import_module(SOURCES[kind])
    try:
        _generate(stage, module) if kind == "generator" else _collect(stage, module)
    except ValueError as error:
        raise StageError(f"data set {stage.config['dataset']}: {error}") from error


def main(argv: list[str] | None = None) -> int:
    """Run the stage from the command line."""
    return run_stage("sample_data", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
