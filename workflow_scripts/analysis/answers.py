"""What only the answers' texts tell: maj@k, and how many are cut or hold no answer, per question of one policy."""

from dataclasses import dataclass

import pyarrow as pa

from workflow_scripts.analysis.grades import Graded, powers_of_two
from workflow_scripts.evaluation.majority import maj_at
from workflow_scripts.rewards.extract import extract_answer
from workflow_scripts.rewards.normal_form import normal_form

RATES = ("truncated", "no_answer")
_KEYS = ("benchmark", "question_id", "sample")

Values = dict[str, float]  # question id -> value


@dataclass(frozen=True)
class Answered:
    """rates[rate, benchmark] and majority[benchmark, k] by question; maj@k by the benchmark's main grader."""

    rates: dict[tuple[str, str], Values]
    majority: dict[tuple[str, int], Values]


def read_answers(answers: pa.Table, grades: pa.Table, graded: Graded) -> Answered:
    """From an ANSWERS table and the GRADES of the same rows. ValueError where the rows are not the same.

    Two answers are the same where their final answers have the same normal form (that of the rule); one without a
    final answer votes too. Questions with an answer that the grader left ungraded have no maj@k.
    """
    if any(answers[name].to_pylist() != grades[name].to_pylist() for name in _KEYS):
        raise ValueError("the answers and their grades differ in benchmark, question or sample")
    return Answered(_rates(answers), _majority(answers, graded))


def _rates(answers: pa.Table) -> dict[tuple[str, str], Values]:
    sums: dict[tuple[str, str], dict[str, list[bool]]] = {}
    keys = list(zip(answers["benchmark"].to_pylist(), answers["question_id"].to_pylist(), strict=True))
    for rate in RATES:
        for (benchmark, question), flag in zip(keys, answers[rate].to_pylist(), strict=True):
            sums.setdefault((rate, benchmark), {}).setdefault(question, []).append(flag)
    return {key: {q: sum(flags) / len(flags) for q, flags in table.items()} for key, table in sums.items()}


def _majority(answers: pa.Table, graded: Graded) -> dict[tuple[str, int], Values]:
    forms: dict[str, dict[str, list]] = {}
    columns = (answers[name].to_pylist() for name in ("benchmark", "question_id", "response"))
    for benchmark, question, response in zip(*columns, strict=True):
        final = extract_answer(response)
        forms.setdefault(benchmark, {}).setdefault(question, []).append(normal_form(final) or final)
    found: dict[tuple[str, int], Values] = {}
    for benchmark, table in forms.items():
        verdicts = graded.samples(benchmark, graded.main_grader(benchmark))
        whole = {q: verdicts[q] for q in sorted(table) if len(verdicts.get(q, ())) == len(table[q])}
        ks = powers_of_two(whole)
        for question, right in whole.items():
            for k, value in zip(ks, maj_at(table[question], right, ks), strict=True):
                found.setdefault((benchmark, k), {})[question] = value
    return found
