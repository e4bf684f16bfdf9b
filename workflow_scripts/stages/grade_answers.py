"""Grade sampled answers by every grader that the benchmark names, side by side; one not asked for gives nulls.

What one grader says of one benchmark is a part of its own (artifacts/parts.py): a further grader or another teacher
leaves what the others said, and an edit of one grader's code too.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from workflow_scripts.artifacts import Stage, StageError, run_stage

KEYS = ("benchmark", "question_id", "subject", "level", "sample")
MODELS = ("teacher", "judge")
SETTINGS = {"truth": (), "teacher": ("votes", "vote_temperature"), "judge": ()}  # of a benchmark, that a grader reads
BY_RULE = ("grading",)


def build(stage: Stage) -> None:
    from workflow_scripts.artifacts.schemas import GRADES

    total, benchmarks = 0, sorted(stage.config["benchmarks"].items())
    parts: dict[str, dict[str, Path]] = {benchmark: {} for benchmark, _ in benchmarks}
    for grader in dict.fromkeys(grader for _, settings in benchmarks for grader in settings["graders"]):
        with ExitStack() as opened:  # one model at a time: the largest may fill a machine
            model = cache(partial(_load, stage, grader, opened))
            for benchmark, settings in benchmarks:
                if grader in settings["graders"]:
                    parts[benchmark][grader] = _part(stage, benchmark, settings, grader, model)
    for benchmark, verdicts in parts.items():
        grades = _grades(stage, benchmark, verdicts)
        stage.write(f"{benchmark}.parquet", grades, GRADES)
        total += len(grades["sample"])
        stage.log(f"{benchmark}: graded {len(grades['sample'])} answers")
    stage.account(answers=total, grades=total)


def _load(stage: Stage, grader: str, opened: ExitStack) -> Any:
    from workflow_scripts.evaluation.graders import GRADERS

    return opened.enter_context(import_module(GRADERS[grader]).load(stage))


def _part(stage: Stage, benchmark: str, settings: dict, grader: str, model: Callable) -> Path:
    """What one grader says of one benchmark."""
    from workflow_scripts.artifacts.schemas import VERDICTS

    def make() -> dict[str, list]:
        return _grade(stage, benchmark, settings, grader, _answers(stage, benchmark).to_pylist(), model)

    own = _settings(stage.config, settings, grader)
    return stage.part(f"{benchmark}.{grader}", own, _reads(benchmark, settings, grader), make, VERDICTS[grader])


def _answers(stage: Stage, benchmark: str) -> Any:
    from workflow_scripts.artifacts.schemas import ANSWERS

    return stage.read("answers", f"{benchmark}.parquet", ANSWERS)


def _grades(stage: Stage, benchmark: str, parts: dict[str, Path]) -> dict[str, list]:
    """Columns of GRADES, from the part of each grader."""
    from workflow_scripts.artifacts.schemas import GRADES, VERDICTS
    from workflow_scripts.artifacts.tables import read_table

    answers = _answers(stage, benchmark)
    columns = {name: answers[name].to_pylist() for name in KEYS}
    columns |= {name: [None] * len(answers) for name in GRADES.names if name not in KEYS}
    for grader, part in parts.items():
        verdicts = read_table(part, VERDICTS[grader]).to_pydict()
        if any(verdicts[name] != columns[name] for name in ("question_id", "sample")):
            raise StageError(f"{benchmark}: {grader} graded other answers than {benchmark}.parquet holds")
        columns |= verdicts
    return columns


def _settings(config: dict, settings: dict, grader: str) -> dict:
    """What decides a grader's verdicts beside the bytes that it reads."""
    own = {"graders": [grader], "split": settings["split"]}
    own |= {name: settings[name] for name in SETTINGS.get(grader, BY_RULE)}
    return own | ({"seed": config["seed"], grader: config[grader]} if grader in MODELS else {})


def _reads(benchmark: str, settings: dict, grader: str) -> list[tuple[str, str]]:
    role, split = f"data:{benchmark}", settings["split"]
    more = {"truth": [(role, f"{split}.truth.parquet")], **{name: [(name, "model")] for name in MODELS}}
    return [("answers", f"{benchmark}.parquet"), (role, f"{split}.parquet"), *more.get(grader, [])]


def _grade(
    stage: Stage, benchmark: str, settings: dict, grader: str, answers: list[dict], model: Callable
) -> dict[str, list]:
    """Columns of VERDICTS of one grader."""
    from workflow_scripts.artifacts.schemas import QUESTIONS, TRUTH
    from workflow_scripts.evaluation.graders import GRADERS

    role, split = f"data:{benchmark}", settings["split"]
    questions = {row["question_id"]: row for row in stage.read(role, f"{split}.parquet", QUESTIONS).to_pylist()}
    if unknown := {row["question_id"] for row in answers} - set(questions):
        raise StageError(f"{benchmark}: {len(unknown)} answered questions are not in split {split!r}")
    rows = [row | {name: questions[row["question_id"]][name] for name in ("prompt", "reference")} for row in answers]
    if grader == "truth":
        truths = stage.read(role, f"{split}.truth.parquet", TRUTH).to_pylist()
        known = {row["question_id"]: row["answer"] for row in truths}
        rows = [row | {"truth": known[row["question_id"]]} for row in rows]
    own = settings | {"seed": stage.config["seed"]}
    verdicts = import_module(GRADERS[grader]).grade(rows, own, model)
    return {"question_id": [row["question_id"] for row in rows], "sample": [row["sample"] for row in rows], **verdicts}


def main(argv: list[str] | None = None) -> int:
    return run_stage("grade_answers", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
