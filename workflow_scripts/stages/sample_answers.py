"""Sample answers of one policy to the questions of every benchmark: a table, and a part of its own, for each.

A benchmark that was sampled before from this policy, with these settings, is not sampled again (artifacts/parts.py).
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import Any

from workflow_scripts.artifacts import Stage, StageError, run_stage

QUESTIONS_PER_CALL = 256


def build(stage: Stage) -> None:
    with ExitStack() as open_engines:
        load = cache(lambda: _load(stage, open_engines))
        stage.account(**{name: _answer(stage, load, name) for name in sorted(stage.config["benchmarks"])})


def _answer(stage: Stage, load: Callable[[], tuple[Any, Any]], benchmark: str) -> int:
    """The number of answers to a benchmark; its part, unless it is kept, is sampled by all ranks together."""
    from workflow_scripts.artifacts.schemas import ANSWERS

    settings, ranks = stage.config["benchmarks"][benchmark], stage.ranks
    questions = read_questions(stage, benchmark, settings["split"])

    def make() -> dict[str, list]:
        if ranks.first:
            ranks.share("sample")
        return _sample(stage, *load(), benchmark, settings, questions)

    if ranks.first:
        files = [(f"data:{benchmark}", file) for file in _files(stage, benchmark, settings["split"])]
        common = {name: stage.config[name] for name in ("seed", "template", "sampling")}
        names = {**common, "benchmark": benchmark, **settings}
        stage.link(stage.part(benchmark, names, [("policy", "model"), *files], make, ANSWERS), f"{benchmark}.parquet")
        ranks.share("done")
    else:  # the first rank alone knows what is kept
        while ranks.share(None) == "sample":
            make()
    return len(questions) * settings["samples"]


def read_questions(stage: Stage, benchmark: str, split: str) -> list[dict[str, Any]]:
    """Rows of QUESTIONS of a benchmark by question id, each with its level (0: unknown)."""
    from workflow_scripts.artifacts.schemas import QUESTIONS, TRUTH

    role, (questions, *truths) = f"data:{benchmark}", _files(stage, benchmark, split)
    rows, levels = stage.read(role, questions, QUESTIONS).to_pylist(), {}
    for file in truths:
        truth = stage.read(role, file, TRUTH)
        levels |= zip(truth["question_id"].to_pylist(), truth["level"].to_pylist(), strict=True)
    if not rows:
        raise StageError(f"{benchmark}: no questions in split {split!r}")
    return sorted((row | {"level": levels.get(row["question_id"], 0)} for row in rows), key=lambda r: r["question_id"])


def _files(stage: Stage, benchmark: str, split: str) -> list[str]:
    """The tables of a benchmark's questions: the second, with their levels, where they were generated."""
    truth = f"{split}.truth.parquet"
    return [f"{split}.parquet", *([truth] if stage.has(f"data:{benchmark}", truth) else [])]


def _load(stage: Stage, open_engines: ExitStack) -> tuple[Any, Any]:
    """(engine, tokenizer) of the policy; the engine is closed with `open_engines`."""
    from workflow_scripts.generation import EngineSettings, open_engine
    from workflow_scripts.models.loading import load_tokenizer
    from workflow_scripts.rl.sharded import ShardedEngine

    folder, settings = stage.path("policy", "model"), EngineSettings(**stage.config["sampling"])
    tokenizer = load_tokenizer(folder)
    engine = open_engine(settings, folder, tokenizer)
    open_engines.callback(engine.close)
    return ShardedEngine(engine, stage.ranks, settings.tensor_parallel), tokenizer


def _sample(
    stage: Stage, engine: Any, tokenizer: Any, benchmark: str, settings: dict, questions: list[dict]
) -> dict[str, list]:
    """Columns of ANSWERS, `samples` rows a question."""
    from workflow_scripts.artifacts.schemas import ANSWERS
    from workflow_scripts.data.prompts import render
    from workflow_scripts.data.text import hash_fraction, last_line
    from workflow_scripts.evaluation.no_answer import has_no_answer
    from workflow_scripts.models.loading import encode_chats

    template, samples = stage.config["template"], settings["samples"]
    lacks_answer = has_no_answer(template)
    columns: dict[str, list] = {name: [] for name in ANSWERS.names}
    for start in range(0, len(questions), QUESTIONS_PER_CALL):
        chosen = questions[start : start + QUESTIONS_PER_CALL]
        generated = engine.generate(
            encode_chats(tokenizer, [render(template, question=row["prompt"]) for row in chosen]),
            samples=samples,
            max_tokens=settings["max_tokens"],
            temperature=settings["temperature"],
            seed=int(hash_fraction(stage.config["seed"], benchmark, start) * 2**31),
        )
        for index, text in enumerate(generated.text):
            row = chosen[index // samples]
            columns["benchmark"].append(benchmark)
            columns["sample"].append(index % samples)
            columns["response"].append(text)
            columns["answer"].append(last_line(text))
            columns["no_answer"].append(lacks_answer(text))
            for name in ("question_id", "subject", "level"):
                columns[name].append(row[name])
        columns["length"].extend(generated.mask.sum(-1).tolist())
        columns["truncated"].extend(generated.truncated.tolist())
        stage.progress(start + len(chosen), len(questions))
    if len(columns["sample"]) != len(questions) * samples:
        raise StageError(f"{benchmark}: {len(columns['sample'])} answers to {len(questions)} x {samples}")
    return columns


def main(argv: list[str] | None = None) -> int:
    return run_stage("sample_answers", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
