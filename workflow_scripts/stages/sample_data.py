"""Sample one data set: every split as Parquet, questions distinct and in one split only, everything counted."""

from collections.abc import Iterator
from importlib import import_module

from workflow_scripts.artifacts import Stage, StageError, run_stage
from workflow_scripts.artifacts.schemas import QUESTIONS
from workflow_scripts.data.sources import SOURCES
from workflow_scripts.hub import SNAPSHOT


def _foreign(stage: Stage) -> Iterator[str]:
    """Yield the prompts of every data set that this one must not overlap."""
    for role in stage.inputs:
        for file in stage.files(role) if role.startswith("against:") else ():
            if file.endswith(".parquet") and not file.endswith(".truth.parquet"):
                yield from stage.read(role, file, QUESTIONS)["prompt"].to_pylist()


def _config(stage: Stage) -> dict:
    """The stage's config, with the place of what was downloaded for it and room for what is made of that on the way."""
    if "download" not in stage.inputs:
        return stage.config
    places = {"folder": stage.path("download", SNAPSHOT), "scratch": stage.checkpoints / "arrow"}
    return stage.config | {
        "source": stage.config["source"] | {name: str(path.resolve()) for name, path in places.items()}
    }


def _made_from(stage: Stage) -> dict[str, list[tuple[str, str, str]]]:
    """(subject, prompt, reference) of the questions that pairs are made from, by the name of their split."""
    found = {}
    for origin in {split.get("source") or name for name, split in stage.config["splits"].items()}:
        tables = [stage.read(role, f"{origin}.parquet", QUESTIONS) for role in sorted(stage.inputs)]
        rows = [row for table in tables for row in table.to_pylist()]
        found[origin] = [(row["subject"], row["prompt"], row["reference"]) for row in rows]
    return found


def _parts(stage: Stage) -> dict[str, list[dict]]:
    """The questions of every part of a mixture, by data set."""
    found: dict[str, list[dict]] = {}
    for part in stage.config["source"]["parts"]:
        name, _, split = part.partition(".")
        found.setdefault(name, []).extend(stage.read(f"part:{name}", f"{split}.parquet", QUESTIONS).to_pylist())
    return found


# What a source needs of other data sets; without an entry, the questions that it must not overlap.
OTHERS = {"pairs": _made_from, "mixture": _parts}


def build(stage: Stage) -> None:
    """Write {split}.parquet, and {split}.truth.parquet for generated questions."""
    kind = stage.config["source"]["kind"]
    if kind not in SOURCES:
        raise StageError(f"data source {kind!r} is unknown (known: {', '.join(SOURCES)})")
    try:
        others = OTHERS.get(kind, _foreign)(stage)
        tables = import_module(SOURCES[kind]).make_tables(_config(stage), others)
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
