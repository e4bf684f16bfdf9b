"""Answers for the page: a bounded sample of each policy's, drawn by a rule that keeps the disagreements in."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.analysis.grades import GRADERS

GRADES_SHOWN = (*GRADERS, "teacher_p_yes", "judge_p_yes")
KEYS = ("benchmark", "question_id", "sample")

# name -> what the reader sees; an answer belongs to the first that fits
STRATA = {
    "rule_misses": "right, the rule misses it, the judge catches it",
    "judge_fooled": "wrong, the judge accepts it",
    "judge_misses": "right, the judge misses it, the rule catches it",
    "contains_fooled": "wrong, only containment accepts it",
    "truncated": "cut off at the length limit",
    "right": "right, without a dispute",
    "wrong": "wrong, without a dispute",
}


@dataclass(frozen=True)
class Sampled:
    """Answers of one policy drawn for the page, and how many of each stratum it gave in all."""

    rows: list[dict]
    counts: dict[str, int]


def draw(policy: str, answers: pa.Table, grades: pa.Table, rows: int) -> Sampled:
    """Up to `rows` answers of one policy (tables ANSWERS and GRADES), the strata in turn, by digest within each.

    Raises ValueError where an answer has no grade.
    """
    joined = answers.join(grades.select([*KEYS, *GRADES_SHOWN]), list(KEYS), join_type="left outer")
    if joined.num_rows != answers.num_rows or grades.num_rows < answers.num_rows:
        raise ValueError(f"{answers.num_rows} answers, but {grades.num_rows} grades that fit {joined.num_rows} of them")
    strata = stratum_of(joined)
    counts = {name: int((strata == index).sum()) for index, name in enumerate(STRATA)}
    order = np.argsort(_digests(policy, joined), kind="stable")
    queues = [order[strata[order] == index] for index in range(len(STRATA))]
    longest = max(map(len, queues), default=0)
    turns = ((index, queue[turn]) for turn in range(longest) for index, queue in enumerate(queues) if turn < len(queue))
    chosen = [(index, int(row)) for (index, row), _ in zip(turns, range(rows), strict=False)]
    taken = joined.take([row for _, row in chosen]).to_pylist()
    names = list(STRATA)
    return Sampled([{**row, "stratum": names[index]} for row, (index, _) in zip(taken, chosen, strict=True)], counts)


def stratum_of(table: pa.Table) -> np.ndarray:
    """Index into STRATA of every row (N,) int; what a grader left ungraded is neither accepted nor rejected.

    The judge is the distilled one, or the teacher where it did not grade.
    """
    yes = {name: _equals(table, name, True) for name in GRADERS}
    no = {name: _equals(table, name, False) for name in yes}
    distilled = yes["judge"] | no["judge"]
    judge_yes, judge_no = (np.where(distilled, side["judge"], side["teacher"]) for side in (yes, no))
    accepted = np.where(yes["truth"] | no["truth"], yes["truth"], yes["rule"] | judge_yes)
    tests = (
        no["rule"] & judge_yes & ~no["truth"],
        judge_yes & no["truth"],
        yes["rule"] & judge_no & ~no["truth"],
        yes["contains"] & no["truth"],
        table["truncated"].to_numpy(),
        accepted,
    )
    return np.select(tests, range(len(tests)), len(tests))


def _equals(table: pa.Table, column: str, value: bool) -> np.ndarray:
    return pc.fill_null(pc.equal(table[column], value), False).to_numpy()


def _digests(policy: str, table: pa.Table) -> np.ndarray:
    """A number per row that hangs on policy and key alone: an order in which none was picked by hand."""
    keys = zip(*(table[name].to_pylist() for name in KEYS), strict=True)
    return np.array(
        [int.from_bytes(blake2b(repr((policy, *key)).encode(), digest_size=8).digest()) for key in keys], np.uint64
    )
