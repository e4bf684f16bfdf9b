"""Sample one data set: every split as Parquet, questions distinct and in one split only, everything counted."""

from collections.abc import Iterator
from importlib import import_module

from workflow_scripts.artifacts import Stage, StageError, run_stage
from workflow_scripts.artifacts.schemas import QUESTIONS
from workflow_scripts.data.sources import SOURCES


def _foreign(stage: Stage) -> Iterator[str]:
    """Yield the prompts of every data set that this one must not overlap."""
    for role, folder in stage.inputs.items():
        for file in sorted(folder.glob("*.parquet")):
            if not file.name.endswith(".truth.parquet"):
                yield from stage.read(role, file.name, QUESTIONS)["prompt"].to_pylist()


def _parts(stage: Stage) -> dict[str, list[dict]]:
    """The questions of every part of a mixture, by data set."""
    found: dict[str, list[dict]] = {}
    for part in stage.config["source"]["parts"]:
        name, _, split = part.partition(".")
        found.setdefault(name, []).extend(stage.read(f"part:{name}", f"{split}.parquet", QUESTIONS).to_pylist())
    return found


def build(stage: Stage) -> None:
    """Write {split}.parquet, and {split}.truth.parquet for generated questions."""
    kind = stage.config["source"]["kind"]
    if kind not in SOURCES:
        raise StageError(f"data source {kind!r} is unknown (known: {', '.join(SOURCES)})")
    try:
        others = _parts(stage) if kind == "mixture" else _foreign(stage)
        tables = import_module(SOURCES[kind]).make_tables(stage.config, others)
    except ValueError as error:
        raise StageError(f"data set {stage.config['dataset']}: {error}") from error
    for note in tables.notes:
        stage.log(note)
    for file, columns, schema in tables.files:
        stage.write(file, columns, schema)
    stage.account(**tables.counts)


def main(argv: list[str] | None = None) -> int:
    """Run the stage from the command line."""
    return run_stage("sample_data", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
