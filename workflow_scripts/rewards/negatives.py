"""Adversarial negatives for the distillation: strings that answer nothing, labelled NO (idea of 2507.08794, section 5).

Half are content-free strings, half first sentences of solutions. The probes of the audit never enter: a judge that
had seen them would pass the audit by heart.
"""

import re
from typing import Any

import numpy as np

from workflow_scripts.evaluation.probes import is_probe
from workflow_scripts.rewards.rule import Verdict, compare, grade

SHARE = 1 / 8  # of the training rollouts, as 20k beside 160k in 2507.08794

FILLERS = (
    "Let me think about this.",
    "First, we look at the question.",
    "Step 1:",
    "We need to find the answer.",
    "Here is my reasoning.",
    "To begin,",
    "Final answer:",
    "The result is as follows",
    "It follows that",
    "I am not sure.",
    "It depends.",
    "See above.",
    "As shown",
    "Explanation:",
    "Reasoning",
    "done",
    "ok",
    "~",
    ">>>",
    "= =",
    "Réponse",
    "Lösung",
    "答案",
    "答え",
)


def adversarial_negatives(
    rows: list[dict[str, Any]], openers: list[str], number: int, rng: np.random.Generator
) -> list[tuple[str, str, str]]:
    """`number` triples (question, string, reference) whose right label is NO, drawn with `rng`.

    `rows` are training labels (prompt and reference are used), `openers` first lines of solutions, of which the
    first sentence is taken. A string that a rule finds right for the reference it was dealt is dropped, and so is any
    probe, whether it was a line or is what a line was cut to.
    """
    fillers = [text for text in FILLERS if not is_probe(text)]
    lines = [text for text in map(first_sentence, openers) if not is_probe(text)] or fillers
    negatives = []
    for index in range(number if rows else 0):
        row = rows[rng.integers(len(rows))]
        source = lines if index % 2 else fillers
        text = source[rng.integers(len(source))]
        if not _answers(text, row["reference"]):
            negatives.append((row["prompt"], text, row["reference"]))
    return negatives


def first_sentence(line: str) -> str:
    """A line up to the end of its first sentence: a full stop, colon, question or exclamation mark before a blank."""
    return re.split(r"(?<=[.:!?])\s|(?<=[。！？：])", line.strip(), maxsplit=1)[0].strip()


def _answers(text: str, reference: str) -> bool:
    by_contains = grade(text, reference, rule="contains") is Verdict.EQUAL
    return by_contains or compare(text, reference) is Verdict.EQUAL
