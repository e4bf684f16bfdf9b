"""Questions in, judged responses out: sampling, log-probabilities before the update, rewards."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workflow_scripts.data.prompts import render
from workflow_scripts.data.text import last_line
from workflow_scripts.generation import Generation, RolloutEngine
from workflow_scripts.models.loading import encode_chat
from workflow_scripts.ranks import Ranks
from workflow_scripts.rewards import RewardBatch, RewardResult
from workflow_scripts.rl.policy import all_log_probs


class Questions:
    """The questions of one split, in table order; prompts are tokenized when they are first asked."""

    def __init__(self, columns: dict[str, list[str]], tokenizer: Any, template: str) -> None:
        """`columns`: question_id, subject, prompt and reference, lists of equal length; `template`: of the prompt."""
        self.ids, self.subjects = columns["question_id"], columns["subject"]
        self.prompts, self.references = columns["prompt"], columns["reference"]
        self._tokenizer, self._template, self._encoded = tokenizer, template, {}

    def __len__(self) -> int:
        return len(self.ids)

    def encode(self, index: int) -> list[int]:
        """Token ids of question `index` in its prompt template and the chat template."""
        if index not in self._encoded:
            text = render(self._template, question=self.prompts[index])
            self._encoded[index] = encode_chat(self._tokenizer, text)
        return self._encoded[index]

    def probe(self, count: int) -> list[list[int]]:
        """The prompts of at most `count` questions spread over the table."""
        count = min(count, len(self))
        return [self.encode(place * len(self) // count) for place in range(count)]


@dataclass(frozen=True)
class Sampled:
    """B responses to the questions `asked` (B indices), the `samples` of one question adjacent."""

    samples: int
    asked: list[int]
    prompts: list[list[int]]
    generation: Generation

    def reward_batch(self, questions: Questions) -> RewardBatch:
        """The columns that a reward reads."""
        return RewardBatch(
            question_ids=[questions.ids[i] for i in self.asked],
            subjects=[questions.subjects[i] for i in self.asked],
            prompts=[questions.prompts[i] for i in self.asked],
            responses=self.generation.text,
            references=[questions.references[i] for i in self.asked],
        )


def sample(
    engine: RolloutEngine,
    questions: Questions,
    indices: list[int],
    *,
    samples: int,
    max_tokens: int,
    temperature: float,
    seed: int,
) -> Sampled:
    """`samples` responses to each of the questions `indices`."""
    prompts = [questions.encode(index) for index in indices]
    generation = engine.generate(prompts, samples=samples, max_tokens=max_tokens, temperature=temperature, seed=seed)
    rows = [row for row in range(len(indices)) for _ in range(samples)]
    return Sampled(samples, [indices[row] for row in rows], [prompts[row] for row in rows], generation)


def before_update(
    forward: Any, sampled: Sampled, *, own: bool = True, temperature: float, budget: int, ranks: Ranks | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """`(old_log_probs, entropy)` (B, T): log-probabilities at the sampling temperature, entropy at temperature 1.

    An engine that shares the trainer's weights has computed both on the way, where it sampled from its `own` policy;
    for any other one `forward` is run on the responses.
    """
    generation = sampled.generation
    if own and generation.log_probs is not None and generation.entropy is not None:
        return generation.log_probs, generation.entropy
    inputs = (forward, sampled.prompts, generation.tokens, generation.mask)
    log_probs, entropy = all_log_probs(*inputs, budget=budget, temperature=temperature, ranks=ranks)
    if temperature != 1:
        entropy = all_log_probs(*inputs, budget=budget, ranks=ranks)[1]
    return log_probs, entropy


def rollout_rows(
    step: int, sampled: Sampled, questions: Questions, result: RewardResult, first_group: int
) -> dict[str, list]:
    """The columns of ROLLOUTS for one batch; its groups are numbered from `first_group`, unique in the run."""
    count, generation, samples = len(sampled.asked), sampled.generation, sampled.samples
    batch = sampled.reward_batch(questions)
    return {
        "step": [step] * count,
        "question_id": batch.question_ids,
        "group": [first_group + row // samples for row in range(count)],
        "sample": [row % samples for row in range(count)],
        "subject": batch.subjects,
        "prompt": batch.prompts,
        "reference": batch.references,
        "response": generation.text,
        "answer": [last_line(text) for text in generation.text],
        "length": generation.lengths.tolist(),
        "truncated": generation.truncated.tolist(),
        "p_yes": np.asarray(result.p_yes, dtype=np.float32).tolist(),
        "verdict": np.asarray(result.verdicts, dtype=bool).tolist(),
        "reward": np.asarray(result.values, dtype=np.float32).tolist(),
    }
