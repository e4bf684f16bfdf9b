"""Graded answers of one policy: accuracies per question under each grader, and pass@k per question."""

from dataclasses import dataclass

import pyarrow as pa

from workflow_scripts.evaluation.estimators import avg_at_k, pass_at_k

GRADERS = ("truth", "rule", "contains", "teacher", "judge")
DECIDING = ("truth", "teacher", "rule", "contains", "judge")  # the first of them that graded a benchmark decides
ALL = "all"


@dataclass(frozen=True)
class Graded:
    """Verdicts of one policy. verdicts[benchmark, grader][question_id] is the list over its samples."""

    verdicts: dict[tuple[str, str], dict[str, list[bool]]]
    subject: dict[str, str]

    def benchmarks(self) -> list[str]:
        return sorted({benchmark for benchmark, _ in self.verdicts})

    def graders(self, benchmark: str) -> list[str]:
        return [name for name in GRADERS if (benchmark, name) in self.verdicts]

    def subjects(self, benchmark: str) -> list[str]:
        questions = set().union(*(table for (name, _), table in self.verdicts.items() if name == benchmark))
        return sorted({self.subject[q] for q in questions})

    def main_grader(self, benchmark: str) -> str:
        """Who decides: the truth where it is known, else the teacher (2503.23829), else the rule (2505.22617)."""
        asked = self.graders(benchmark)
        return next((name for name in DECIDING if name in asked), "truth")

    def samples(self, benchmark: str, grader: str, subjects: set[str] | None = None) -> dict[str, list[bool]]:
        """Question id -> verdicts over its samples; no subjects mean all of them."""
        table = self.verdicts.get((benchmark, grader), {})
        return {q: table[q] for q in sorted(table) if subjects is None or self.subject[q] in subjects}

    def accuracy(self, benchmark: str, grader: str, subjects: set[str] | None = None) -> dict[str, float]:
        """Question id -> share of its samples that are right (avg@k)."""
        return {q: avg_at_k(v) for q, v in self.samples(benchmark, grader, subjects).items()}

    def against_truth(
        self, benchmark: str, grader: str, subjects: set[str] | None = None
    ) -> tuple[list[bool], list[bool]]:
        """Verdicts of a grader on the truly right answers and on the wrong ones; empty without either grader."""
        truth, other = self.samples(benchmark, "truth", subjects), self.samples(benchmark, grader, subjects)
        right, wrong = [], []
        for question in truth.keys() & other.keys():
            for is_right, verdict in zip(truth[question], other[question], strict=True):
                (right if is_right else wrong).append(verdict)
        return right, wrong


def read_grades(table: pa.Table) -> Graded:
    """Graded answers from a GRADES table. A question that a grader left ungraded (null) does not count for it."""
    columns = table.to_pydict()
    verdicts: dict[tuple[str, str], dict[str, list[bool]]] = {}
    for grader in GRADERS:
        rows = zip(columns["benchmark"], columns["question_id"], columns[grader], strict=True)
        for benchmark, question, verdict in rows:
            if verdict is not None:
                verdicts.setdefault((benchmark, grader), {}).setdefault(question, []).append(verdict)
    subject = dict(zip(columns["question_id"], columns["subject"], strict=True))
    return Graded(dict(sorted(verdicts.items())), subject)


def pass_at_k_by_question(samples: dict[str, list[bool]], k: int) -> dict[str, float]:
    """Question id -> pass@k; questions with fewer than k samples are left out."""
    return {q: pass_at_k(len(v), sum(v), k) for q, v in samples.items() if len(v) >= k}


def powers_of_two(samples: dict[str, list[bool]]) -> list[int]:
    """k = 1, 2, 4, ... up to the smallest number of samples of a question."""
    most = min((len(v) for v in samples.values()), default=0)
    return [1 << n for n in range(most.bit_length())]


def difference(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Paired difference on the questions that both have."""
    return {q: one[q] - other[q] for q in sorted(one.keys() & other.keys())}
