"""The rule grader on the references of benchmarks, in five equal and five wrong forms, and on hostile answers.

    python tests/benchmarks/rule_grader.py ../shared/data/benchmarks [--most 200] [--show]

Prints false negatives and positives per benchmark and form, and the verdict on each hostile answer with time and
memory. Exit status 1 if a hostile answer got a verdict it must not get. `--most` caps the references per file, `--show`
prints the misjudged answers. Speed beside math-verify: `make bench` (suite/cases/grading.py).
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.answer_forms import equal_forms, other_reference, wrong_forms
from tests.benchmarks.reference_answers import read_references
from tests.hostile_answers import HOSTILE
from workflow_scripts.rewards.rule import Verdict, grade, grade_batch

Case = tuple[str, str, str]  # form, response, reference


def main() -> int:
    args = parse()
    cases = {name: forms_of(answers[: args.most]) for name, answers in read_references(args.folder).items()}
    if not cases:
        raise SystemExit(f"{args.folder}: no benchmark files")
    grade(r"\sqrt{8}", r"2\sqrt{2}")  # starts the pool
    grade_benchmarks(cases, args.show)
    return grade_hostile()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of JSONL and JSON benchmark files")
    parser.add_argument("--most", type=int, help="references per file (default: all)")
    parser.add_argument("--show", action="store_true", help="print what was misjudged")
    return parser.parse_args()


def forms_of(references: list[str]) -> tuple[list[Case], list[Case]]:
    """The equal and the wrong cases of one benchmark."""
    equal, wrong = [], []
    for index, reference in enumerate(references):
        equal += [(form, text, reference) for form, text in equal_forms(reference).items()]
        forms = wrong_forms(reference, other_reference(references, index))
        wrong += [(form, text, reference) for form, text in forms.items()]
    return equal, wrong


def grade_benchmarks(cases: dict[str, tuple[list[Case], list[Case]]], show: bool) -> None:
    head = "".join(f"{name:>9}" for name in ("equal", "false -", "share", "wrong", "false +", "share", "failed", "s"))
    print(f"{'benchmark':16}{head}")
    by_form: Counter[tuple[str, bool]] = Counter()
    for name, sides in cases.items():
        started, misses, failed = time.perf_counter(), [], 0
        for expected, side in zip((True, False), sides, strict=True):
            verdicts = grade_batch([text for _, text, _ in side], [reference for _, _, reference in side])
            failed += sum(verdict.failed for verdict in verdicts)
            missed = [(case, v) for case, v in zip(side, verdicts, strict=True) if (v is Verdict.EQUAL) != expected]
            by_form.update((case[0], expected) for case, _ in missed)
            misses.append(missed)
        counts = [len(side) for side in sides]
        shares = [len(missed) / count for missed, count in zip(misses, counts, strict=True)]
        print(
            f"{name:16}{counts[0]:9}{len(misses[0]):9}{shares[0]:9.2%}{counts[1]:9}{len(misses[1]):9}{shares[1]:9.2%}"
            f"{failed:9}{time.perf_counter() - started:9.1f}"
        )
        if show:
            for label, missed in zip(("false -", "false +"), misses, strict=True):
                for (form, text, reference), verdict in missed:
                    print(f"    {label} {form:10} {verdict:10} {text!r}  reference {reference!r}")
    print("false negatives by form:", {form: n for (form, equal), n in by_form.items() if equal} or "none")
    print("false positives by form:", {form: n for (form, equal), n in by_form.items() if not equal} or "none")


def grade_hostile() -> int:
    """The table of hostile answers; how many got a verdict that they must not get."""
    bad, before, started = 0, memory(), time.perf_counter()
    print(f"\n{'hostile answer':32}{'verdict':>12}{'s':>8}")
    for name, response, reference, allowed in HOSTILE:
        start = time.perf_counter()
        verdict = grade(response, reference)
        bad += verdict not in allowed
        print(f"{name:32}{verdict:>12}{time.perf_counter() - start:8.2f}{'' if verdict in allowed else '  WRONG'}")
    print(f"{len(HOSTILE)} in {time.perf_counter() - started:.1f} s, {bad} wrong; ", end="")
    print(
        "megabytes, this process and the rest: "
        + " -> ".join(f"{own:.0f} + {rest:.0f}" for own, rest in (before, memory()))
    )
    return int(bad > 0)


def memory() -> tuple[float, float]:
    """Resident megabytes of this process and of its descendants."""
    own = psutil.Process()
    return own.memory_info().rss / 2**20, sum(child.memory_info().rss for child in own.children(recursive=True)) / 2**20


if __name__ == "__main__":
    raise SystemExit(main())
