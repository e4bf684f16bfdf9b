"""Sample one data set: every split as Parquet, questions distinct and in one split only, everything counted."""

from importlib import import_module

from workflow_scripts.artifacts import Stage, StageError, run_stage
from workflow_scripts.artifacts.schemas import QUESTIONS
from workflow_scripts.data.sources import SOURCES
from workflow_scripts.data.splits import deal
from workflow_scripts.data.text import question_id, question_key


def _taken(stage: Stage) -> set[str]:
    """Return the question keys of every data set that this one must not overlap."""
    keys: set[str] = set()
    for role, folder in stage.inputs.items():
        for file in sorted(folder.glob("*.parquet")):
            if not file.name.endswith(".truth.parquet"):
                keys |= set(map(question_key, stage.read(role, file.name, QUESTIONS)["prompt"].to_pylist()))
    return keys


def _generate(stage: Stage, module) -> None:
    seen, taken = set(), _taken(stage)
    for name, split in stage.config["splits"].items():
        files, counts = module.make_split(stage.config["source"], name, split, stage.config["seed"])
        ids = set(files[0][1].get("question_id", ()))
        if seen & ids:  # cannot happen while the splits' regions differ
            raise ValueError(f"split {name!r} shares {len(seen & ids)} questions with an earlier one: same `source`?")
        if taken and taken & set(map(question_key, files[0][1]["prompt"])):
            raise ValueError(f"split {name!r} shares questions with a data set it must not overlap")
        seen |= ids
        for file, columns, schema in files:
            stage.write(file, columns, schema)
        stage.account(**{f"{name}_{count}": value for count, value in counts.items()})


def _collect(stage: Stage, module) -> None:
    source = stage.config["source"]
    splits, seed = stage.config["splits"], stage.config["seed"]
    dealt, counts = deal(splits, lambda origin: module.load(source, origin), seed, _taken(stage))
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
