"""Draw the splits of a dataset: questions, demonstrations or pairs. No question is in two splits or in a benchmark.

Questions go through the same sieve whatever their source: duplicates, questions of an earlier split and questions of
the datasets in `against` are removed and counted in the manifest.
"""

import importlib

from workflow_scripts.artifacts import Stage, StageError, read_json, run_stage
from workflow_scripts.artifacts.schemas import DEMONSTRATIONS, PAIRS, QUESTIONS, TRUTH
from workflow_scripts.data.sources import SOURCES, Drawn
from workflow_scripts.data.text import question_key


def build(stage: Stage) -> None:
    """Write {split}.parquet, and {split}.truth.parquet where a generator knows the truth."""
    source = stage.config["source"]
    try:
        if source.get("table", "questions") == "questions":
            _questions(stage, source)
        else:
            _training(stage, source)
    except ValueError as error:
        raise StageError(f"dataset {stage.config['dataset']}: {error}") from error


def _questions(stage: Stage, source: dict) -> None:
    module = importlib.import_module(SOURCES[source["kind"]])
    foreign, taken = _foreign_questions(stage), set()
    for name, split in stage.config["splits"].items():
        drawn = module.load(source, name, split, stage.config["seed"])
        kept, counts = _sieve(drawn, foreign, taken, split["rows"])
        if split["rows"] and len(kept) < split["rows"]:
            raise ValueError(f"split {name}: {split['rows']} rows are asked for, {len(kept)} are there")
        stage.write(f"{name}.parquet", _rows(drawn.questions, kept), QUESTIONS)
        if drawn.truth:
            stage.write(f"{name}.truth.parquet", _rows(drawn.truth, kept), TRUTH)
        stage.account(**{f"{name}.{what}": count for what, count in counts.items()})


def _sieve(drawn: Drawn, foreign: set[str], taken: set[str], rows: int | None) -> tuple[list[int], dict[str, int]]:
    """Positions of the questions to keep, and how many of which kind were not; `taken` grows by the kept ones."""
    counts = {"candidates": len(drawn.questions["prompt"]) + drawn.repeats, "duplicates": drawn.repeats, "overlap": 0}
    kept = []
    for position, prompt in enumerate(drawn.questions["prompt"]):
        if rows is not None and len(kept) == rows:
            break
        question = question_key(prompt)
        if question in taken:
            counts["duplicates"] += 1
        elif question in foreign:
            counts["overlap"] += 1
        else:
            taken.add(question)
            kept.append(position)
    counts["not_drawn"] = counts["candidates"] - counts["duplicates"] - counts["overlap"] - len(kept)
    return kept, counts | {"kept": len(kept)}


def _foreign_questions(stage: Stage) -> set[str]:
    """Questions of the datasets that this one must not overlap."""
    found = set()
    for role, folder in stage.inputs.items():
        for file in read_json(folder / "manifest.json")["files"]:
            if not file.endswith(".truth.parquet"):
                found |= {question_key(prompt) for prompt in stage.read(role, file, QUESTIONS)["prompt"].to_pylist()}
    return found


def _training(stage: Stage, source: dict) -> None:
    module = importlib.import_module(SOURCES[source["kind"]])
    schema = {"demonstrations": DEMONSTRATIONS, "pairs": PAIRS}[source["table"]]
    for name, split in stage.config["splits"].items():
        columns, repeats = module.load_training(source, name, split, stage.config["seed"])
        stage.write(f"{name}.parquet", columns, schema)
        stage.account(**{f"{name}.kept": len(columns["prompt"]), f"{name}.duplicates": repeats})


def _rows(columns: dict[str, list], kept: list[int]) -> dict[str, list]:
    return {name: [values[position] for position in kept] for name, values in columns.items()}


def main(argv: list[str] | None = None) -> int:
    return run_stage("sample_data", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
