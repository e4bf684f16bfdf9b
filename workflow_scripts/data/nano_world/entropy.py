"""What the entropy at the start of RL consists of: choice of strategy, choice of form, injected noise, and the rest.

Two views. The generating process is known, so the entropy of a response given its question splits exactly:
H(response) = H(style) + H(form | style) + H(noise | style). On a trained model the entropy of each token is measured on
held-out demonstrations and booked where it arises: at the first token the choice between the strategies is separated
from the rest by the chain rule; the other positions are those that may hold a slip, the answer line, and layout. What
the model has above the generating process is what it has not learned.
"""

import math
import re
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from workflow_scripts.data.nano_world.demonstrations import MARKS, demonstrate, work
from workflow_scripts.data.nano_world.problems import Problem
from workflow_scripts.data.nano_world.questions import draw_problems
from workflow_scripts.data.nano_world.settings import PLAIN_SUBJECTS, Settings

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PARTS = ("style", "value", "answer", "layout")
# The texts between the marks of a worked line; in careful lines the operations are copied from the question.
_VALUES = {"brief": re.compile(r"(?<=>)[^>\n]+"), "careful": re.compile(r"(?<==)[^=+,\n-]+")}


def _entropy(shares: list[float]) -> float:
    return -sum(share * math.log(share) for share in shares if share > 0)


def process_entropy(problem: Problem, settings: Settings, draws: int = 400, seed: int = 0) -> dict[str, float]:
    """Return nats per response of the generating process for one question: style, form and noise.

    The distribution of slips is estimated from `draws` noisy traces per style, with the Miller-Madow correction.
    """
    rng, styles, noise = Random(f"process entropy {seed}"), dict(settings.style_shares), 0.0
    last = problem.steps - 1
    for style, share in styles.items():
        traces = [problem.trace(last if style == "direct" else rng.randint(0, last), rng) for _ in range(draws)]
        counts = Counter(work(problem, style, trace) + str(trace[-1]) for trace in traces)
        slips = _entropy([count / draws for count in counts.values()]) + (len(counts) - 1) / (2 * draws)
        rate = dict(settings.noise)[style]
        noise += share * (_entropy([rate, 1 - rate]) + rate * slips)
    second = 0.0 if problem.subject in PLAIN_SUBJECTS else settings.second_form
    return {"style": _entropy(list(styles.values())), "form": _entropy([second, 1 - second]), "noise": noise}


def token_parts(response: str, style: str, starts: list[int]) -> list[str]:
    """Return the part of every token of a response, given where each token starts (in characters)."""
    answer = response.rindex("\n") + 1 if "\n" in response else 0
    spans = [match.span() for match in _VALUES[style].finditer(response[:answer])] if style in _VALUES else []
    return [
        "answer" if start >= answer else "value" if any(a <= start < b for a, b in spans) else "layout"
        for start in starts
    ]


def style_entropy(probabilities: "torch.Tensor", marks: list[int]) -> float:
    """Return the entropy of the strategy at the first token: probabilities (V,), tokens that open a worked style."""
    worked = [float(probabilities[mark]) for mark in marks]
    return _entropy([*worked, max(0.0, 1.0 - sum(worked))])


def model_entropy(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    template: str,
    settings: Settings,
    questions: int = 200,
) -> dict[str, float]:
    """Return the mean nats per response of a model on held-out demonstrations, by part (PARTS), and their sum "all".

    The end token counts as layout. At the first token the entropy above the choice of style belongs to the answer.
    """
    import torch

    from workflow_scripts.data.prompts import render
    from workflow_scripts.models.loading import encode_chat

    rng, totals = Random("model entropy"), dict.fromkeys(PARTS, 0.0)
    marks = [tokenizer(mark, add_special_tokens=False)["input_ids"][0] for mark in MARKS.values() if mark]
    problems = draw_problems(rng, "held_out", None, settings.level_shares)
    for problem, _ in zip(problems, range(questions), strict=False):
        response, style, _ = demonstrate(problem, settings, rng)
        prompt = encode_chat(tokenizer, render(template, question=problem.prompt))
        coded = tokenizer(response, add_special_tokens=False, return_offsets_mapping=True)
        parts = [*token_parts(response, style, [start for start, _ in coded["offset_mapping"]]), "layout"]
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([prompt + coded["input_ids"]])).logits[0, len(prompt) - 1 :]
        logs = logits.float().log_softmax(-1)
        entropies = (-(logs.exp() * logs).sum(-1)).tolist()
        choice = style_entropy(logs[0].exp(), marks)
        totals["style"] += choice
        parts[0], entropies[0] = "answer", entropies[0] - choice
        for part, value in zip(parts, entropies, strict=True):
            totals[part] += value
    means = {part: total / questions for part, total in totals.items()}
    return means | {"all": sum(means.values())}
