"""Sample answers of one policy to the questions of every benchmark."""

from typing import Any

from workflow_scripts.artifacts import Stage, StageError, run_stage

QUESTIONS_PER_CALL = 256


def build(stage: Stage) -> None:
    from workflow_scripts.artifacts.schemas import ANSWERS
    from workflow_scripts.generation import make_engine
    from workflow_scripts.models.loading import load_model, load_tokenizer

    folder = stage.path("policy", "model")
    tokenizer = load_tokenizer(folder)
    engine = make_engine(stage.config["engine"], load_model(folder), tokenizer)
    columns: dict[str, list] = {name: [] for name in ANSWERS.names}
    counts = {}
    for benchmark, settings in sorted(stage.config["benchmarks"].items()):
        questions = read_questions(stage, benchmark, settings)
        before = len(columns["sample"])
        _sample(stage, engine, tokenizer, benchmark, settings, questions, columns)
        counts[benchmark] = len(columns["sample"]) - before
        if counts[benchmark] != len(questions) * settings["samples"]:
            raise StageError(f"{benchmark}: {counts[benchmark]} answers to {len(questions)} x {settings['samples']}")
    stage.write("answers.parquet", columns, ANSWERS)
    stage.account(**counts)


def read_questions(stage: Stage, benchmark: str, settings: dict) -> list[dict[str, Any]]:
    """Rows of QUESTIONS of a benchmark, those of `subjects` if it names some, each with its level (0: unknown)."""
    from workflow_scripts.artifacts.schemas import QUESTIONS, TRUTH

    role, split = f"data:{benchmark}", settings["split"]
    rows = stage.read(role, f"{split}.parquet", QUESTIONS).to_pylist()
    levels: dict[str, int] = {}
    if stage.has(role, f"{split}.truth.parquet"):
        truth = stage.read(role, f"{split}.truth.parquet", TRUTH)
        levels = dict(zip(truth["question_id"].to_pylist(), truth["level"].to_pylist(), strict=True))
    wanted = settings.get("subjects")
    chosen = [row | {"level": levels.get(row["question_id"], 0)} for row in rows]
    chosen = [row for row in chosen if not wanted or row["subject"] in wanted]
    if not chosen:
        raise StageError(f"{benchmark}: no questions in split {split!r}" + (f" of subjects {wanted}" if wanted else ""))
    return sorted(chosen, key=lambda row: row["question_id"])


def _sample(
    stage: Stage, engine: Any, tokenizer: Any, benchmark: str, settings: dict, questions: list[dict], columns: dict
) -> None:
    from workflow_scripts.data.prompts import render
    from workflow_scripts.data.text import hash_fraction, last_line
    from workflow_scripts.models.loading import encode_chat

    template, samples = stage.config["template"], settings["samples"]
    for start in range(0, len(questions), QUESTIONS_PER_CALL):
        chosen = questions[start : start + QUESTIONS_PER_CALL]
        generated = engine.generate(
            [encode_chat(tokenizer, render(template, question=row["prompt"])) for row in chosen],
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
            for name in ("question_id", "subject", "level"):
                columns[name].append(row[name])
        columns["length"].extend(generated.mask.sum(-1).tolist())
        columns["truncated"].extend(generated.truncated.tolist())
        stage.progress(start + len(chosen), len(questions))


def main(argv: list[str] | None = None) -> int:
    return run_stage("sample_answers", build, argv)


if __name__ == "__main__":
    raise SystemExit(main())
