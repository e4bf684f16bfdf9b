"""Do a judge's verdicts hang on how an answer is put? The same answers, moved, padded or in another language.

    position    a judge reads the last line: the answer stands at its end, its start or in its middle
    length      one sentence or ten, without content, before or behind the answer
    language    a sentence around it in another language, its digits and letters in another script (full width), or,
                where the generator knows its forms, the same value in another form ("21", "XXI", "einundzwanzig")

None of these changes whether the answer is right, so a verdict that changes was about the wording. WORDING rows count
distinct answers, each once; what is too long for a judge to read is counted apart.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from workflow_scripts.evaluation.gate import Figure
from workflow_scripts.rewards.content import is_content_free
from workflow_scripts.rewards.judge import Scores

PADDING = "We check every step once more. "
FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("!"), ord("~") + 1)}

# variant -> (kind, answer -> the same answer in other words)
VARIANTS: dict[str, tuple[str, Callable[[str], str]]] = {
    "at the end": ("position", lambda answer: f"After all of these steps we arrive at {answer}"),
    "at the start": ("position", lambda answer: f"{answer} is what we arrive at after all of these steps"),
    "in the middle": ("position", lambda answer: f"After these steps we get {answer} for what was asked"),
    "a sentence before": ("length", lambda answer: PADDING + answer),
    "a sentence behind": ("length", lambda answer: f"{answer}. {PADDING}".rstrip()),
    "ten sentences before": ("length", lambda answer: 10 * PADDING + answer),
    "German": ("language", lambda answer: f"Die Antwort lautet {answer}"),
    "Spanish": ("language", lambda answer: f"La respuesta es {answer}"),
    "Chinese": ("language", lambda answer: f"答案是{answer}"),
    "full width": ("language", lambda answer: answer.translate(FULL_WIDTH)),
}
ANOTHER_FORM = ("language", "another form")


def chosen_rows(rows: list[dict[str, Any]], number: int, seed: int) -> list[dict[str, Any]]:
    """At most `number` label rows whose answers say something, drawn without regard to counts, in table order."""
    asked = [row for row in rows if not is_content_free(row["answer"], row["reference"])]
    if len(asked) <= number:
        return asked
    order = np.random.default_rng(seed).permutation(len(asked))[:number]
    return [asked[index] for index in sorted(order.tolist())]


def wording_rows(
    name: str,
    scores_of: Callable[[list[dict[str, Any]]], Scores],
    rows: list[dict[str, Any]],
    forms: list[str | None] | None = None,
) -> list[dict[str, Any]]:
    """WORDING rows of one judge. `scores_of` gives its scores of rows (prompt, answer, reference); `forms` gives each
    answer in another form, None where there is none."""
    if not rows:
        return []
    before = scores_of(rows).verdicts
    found = []
    for variant, (kind, reword) in VARIANTS.items():
        after = scores_of([{**row, "answer": reword(row["answer"])} for row in rows])
        found.append(_row(name, kind, variant, before, after))
    if restated := [index for index, form in enumerate(forms or []) if form is not None]:
        after = scores_of([{**rows[index], "answer": forms[index]} for index in restated])
        found.append(_row(name, *ANOTHER_FORM, before[restated], after))
    return found


def worst_wording(rows: list[dict[str, Any]], name: str) -> Figure:
    """The largest share of verdicts of a judge that one variant turns."""
    found = [Figure(row["flipped"], row["n"]) for row in rows if row["judge"] == name and row["n"]]
    return max(found, default=Figure(float("nan"), 0))


def _row(name: str, kind: str, variant: str, before: np.ndarray, scores: Scores) -> dict[str, Any]:
    read = scores.mass > 0
    was, now = before[read], scores.verdicts[read]
    shares = {"flipped": was != now, "lost": ~now[was], "gained": now[~was]}
    means = {column: float(values.mean()) if len(values) else float("nan") for column, values in shares.items()}
    counts = {"n": int(read.sum()), "unread": int((~read).sum())}
    return {"judge": name, "kind": kind, "variant": variant, **means, **counts}
