"""The symbolic path of the rules: what reaches it, what it refuses, what it remembers, and hostile answers."""

import importlib.metadata
import subprocess
import sys
import threading

import numpy as np
import pytest
from packaging.requirements import Requirement

from tests.hostile_answers import HOSTILE
from tests.project import ROOT
from tests.unit.rewards.test_rewards import batch
from workflow_scripts.artifacts.fingerprint import locked_versions
from workflow_scripts.rewards import make_reward, symbols
from workflow_scripts.rewards.rule import Verdict, grade, grade_batch
from workflow_scripts.rl.metrics import rule_failures
from workflow_scripts.rl.sharded import sharded_reward

SLOW = {name for name, *_, allowed in HOSTILE if Verdict.TIMEOUT in allowed}

# Prints the parser's class and what it makes of a text, number formats included.
PARSES = """
import sys
from latex2sympy2_extended import latex2sympy2
from sympy import srepr
from workflow_scripts.rewards import symbols_worker
if sys.argv[1] == "plain":
    symbols_worker.quicken = lambda: None
found = symbols_worker._parse(sys.argv[2])
print(latex2sympy2._Latex2Sympy)
print([one if isinstance(one, str) else srepr(one) for one in found])
"""


@pytest.mark.parametrize(("response", "reference", "allowed"), [row[1:] for row in HOSTILE if row[0] not in SLOW])
def test_answers_that_fooled_graders(response, reference, allowed):
    assert grade(response, reference) in allowed


def test_answers_that_hang_a_computer_algebra_system_get_a_verdict_and_others_are_not_kept_waiting():
    hanging = [r"\boxed{9^{9^{9}}}", r"\boxed{\binom{10^{9}}{5 \cdot 10^{8}}}"]
    verdicts = grade_batch([*hanging, r"\boxed{\sqrt{12}}"], ["7", "7", r"2\sqrt{3}"])
    assert verdicts == [Verdict.TIMEOUT, Verdict.TIMEOUT, Verdict.EQUAL]
    assert grade_batch(hanging, ["7", "7"]) == [Verdict.TIMEOUT] * 2  # remembered: it would take 5 s
    result = make_reward({"kind": "rule"}, None)(batch([*hanging, "7"], ["7"] * 3))
    assert result.verdicts.tolist() == [False, False, True] and result.failed.tolist() == [True, True, False]


def test_it_works_in_threads():
    found = []
    pairs = [(f"({n}x + {n})/{n}", "x + 1") for n in range(2, 8)]
    threads = [threading.Thread(target=lambda pair=pair: found.append(grade(*pair))) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [Verdict.EQUAL] * 6


@pytest.mark.parametrize(
    "text",
    [
        "x" * 301,
        "2^{2^{2^{2}}}",
        "2^2^2^2",
        r"5^{\left(5^{\left(5^5\right)}\right)}",
        "7^{99999}",
        "7^-99999",
        "9999!",
        "12345678901234!",
        "3! !",
    ],
)
def test_what_could_hang_is_not_even_asked(text):
    assert not symbols.is_tame(text)


@pytest.mark.parametrize("text", ["x^{y^2}", r"\frac{1}{2^{4016}}", "x^2 + y^2 + z^2", "(2n)!", "x != 3", "e^{-x^2}"])
def test_what_references_hold_is_tame(text):
    assert symbols.is_tame(text)


def test_words_numbers_and_texts_start_no_worker():
    code = """
from workflow_scripts.rewards import symbols
from workflow_scripts.rewards.rule import grade
for answer, reference in (("12+9", "21"), ("x", "one ten"), ("21", "XXI"), ("1>2", "letter a"), ("3", "4")):
    for rule in ("verify", "contains"):
        grade(answer, reference, kind="text", rule=rule)
for answer, reference in (("21", "22"), ("0.5", "1/3"), ("A", "B"), ("the north", "x + 1"), ("north", "south")):
    grade(answer, reference)
assert not symbols._pools
grade("x + 1", "1 + x")
assert symbols._pools
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_failures_reach_the_metrics_through_ranks_and_from_any_rule():
    class One:
        def part(self, count):
            return range(count)

        def gather(self, own):
            return [own, own]

    rule = sharded_reward(make_reward({"kind": "rule", "grading": "text"}, None), One())
    soft = sharded_reward(make_reward({"kind": "rule", "soft": True}, None), One())
    results = [reward(batch(["21", "22"], ["21", "21"])) for reward in (rule, soft)]
    assert results[0].verdicts.tolist() == [True, False, True, False]
    assert results[1].failed is None and rule_failures(results[1:]) == {}
    assert rule_failures(results)["rule_failed"].tolist() == [False] * 4
    results[0].failed[1] = True
    assert np.mean(rule_failures([results[0], results[0]])["rule_failed"]) == 0.25


def test_math_verify_and_what_it_needs_are_pinned_as_it_wants_them():
    pins = locked_versions(ROOT / "envs" / "cpu.txt")
    assert pins["math_verify"] == "0.9.0"
    for package in ("math-verify", "latex2sympy2-extended"):
        for line in importlib.metadata.requires(package):
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                pin = pins[needed.name.lower().replace("-", "_")]
                assert needed.specifier.contains(pin), line
                assert importlib.metadata.version(needed.name) == pin


@pytest.mark.parametrize(
    "latex",
    [
        r"\frac{n(n+1)}{2}",
        "x^5 - x^4 + x^3 - 1",  # SLL finds an error where there is none
        r"x \ge 1",
        r"[1, \infty) \cup \{0.50\}",
        "007, .5, 1{,}000",
        r"\begin{pmatrix} 1 & 2.50 \\ 3 & 4 \end{pmatrix}",
        r"3\frac{1}{2}",
        "50\\%",
    ],
)
def test_the_quicker_parser_gives_the_same_expressions(latex):
    """In processes of their own: the parser of this one must stay what math-verify brings."""
    found = [
        subprocess.run([sys.executable, "-c", PARSES, how, latex], cwd=ROOT, capture_output=True, text=True, check=True)
        for how in ("plain", "quicker")
    ]
    plain, quicker = (one.stdout.splitlines() for one in found)
    assert plain[0] != quicker[0] and plain[1:] == quicker[1:] != ["[]"]
