"""A generative judge: one forward pass, the probabilities of YES and NO as the first answer token.

The model reads a filled template as one chat message. Only the last real position of each right-padded row goes through
the output head. Under causal attention the padding behind a row cannot reach it, so no attention mask is needed.
Equal triples of one call are scored once. Nothing is kept between calls: the batch that a triple is scored in decides
the last bits of its probability, and a resumed run must meet the same batches as an unbroken one.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workflow_scripts.data.prompts import render
from workflow_scripts.models.loading import encode_chat, load_model, load_tokenizer
from workflow_scripts.rewards.content import is_content_free
from workflow_scripts.rewards.verdict_tokens import VerdictTokens, resolve_verdict_tokens

LOW_MASS = 0.5  # below it some other token can be the likeliest: the judge says neither YES nor NO


@dataclass(frozen=True)
class Scores:
    """What a judge says of B triples; (B,) float64 each. `yes` and `no` are sums over the token variants."""

    yes: np.ndarray
    no: np.ndarray

    @property
    def mass(self) -> np.ndarray:
        """(B,) yes + no; 0 for an answer that the judge was not asked about."""
        return self.yes + self.no

    @property
    def p_yes(self) -> np.ndarray:
        """(B,) yes / (yes + no); 0 where both are 0."""
        return np.divide(self.yes, self.mass, out=np.zeros_like(self.yes), where=self.mass > 0)

    @property
    def answered(self) -> np.ndarray:
        """(B,) bool: it says YES or NO. Below a mass of LOW_MASS it may have wanted to say something else."""
        return self.mass >= LOW_MASS

    @property
    def verdicts(self) -> np.ndarray:
        """(B,) bool: it says YES; the likelier of the two, a tie counts as YES as in the paper's majority vote."""
        return self.answered & (self.yes >= self.no)

    @property
    def eq4(self) -> np.ndarray:
        """Soft value of 2503.23829, Eq. 4, for the likelier verdict: P(YES) | 1 - P(NO) | 0 if neither."""
        likelier = np.where(self.yes >= self.no, self.yes, 1.0 - self.no)
        return np.where(self.answered, likelier, 0.0)


class Judge:
    """A causal language model that judges (question, answer, reference) triples by a template."""

    def __init__(self, model: Any, tokenizer: Any, template: str, batch: int = 256) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.template = template
        self.batch = batch
        self.tokens: VerdictTokens = resolve_verdict_tokens(tokenizer)

    @classmethod
    def load(cls, model_dir: Path | str, template: str, batch: int = 256) -> "Judge":
        """Raises StageError in one line where YES or NO is no single token of the model's tokenizer."""
        return cls(load_model(model_dir), load_tokenizer(model_dir), template, batch)

    def encode(self, question: str, answer: str, reference: str) -> list[int]:
        """Token ids of the filled template as a chat message that asks for the answer."""
        text = render(self.template, question=question, answer=answer, reference=reference)
        return encode_chat(self.tokenizer, text)

    def score(self, questions: list[str], answers: list[str], references: list[str]) -> Scores:
        """Probabilities of YES and NO for B triples; equal triples get equal numbers."""
        triples = list(zip(questions, answers, references, strict=True))
        distinct = {triple: index for index, triple in enumerate(dict.fromkeys(triples))}
        yes, no = self._score_encoded([self.encode(*triple) for triple in distinct])
        places = np.array([distinct[triple] for triple in triples], dtype=np.int64)
        return Scores(yes[places], no[places])

    def _score_encoded(self, rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        yes, no = np.zeros(len(rows)), np.zeros(len(rows))
        order = sorted(range(len(rows)), key=lambda index: (len(rows[index]), index))  # little padding in a batch
        for start in range(0, len(order), self.batch):
            chosen = order[start : start + self.batch]
            yes[chosen], no[chosen] = self._verdict_probabilities([rows[index] for index in chosen])
        return yes, no

    @torch.inference_mode()
    def _verdict_probabilities(self, rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
        """(P(YES), P(NO)) after the last real position of each row, summed over the variants; (len(rows),) each."""
        lengths = torch.tensor([len(row) for row in rows])
        padded = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
        for index, row in enumerate(rows):
            padded[index, : len(row)] = torch.tensor(row)
        device = self.model.get_input_embeddings().weight.device
        hidden = self.model.base_model(padded.to(device), use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(rows), device=device), lengths.to(device) - 1]
        log_probabilities = self.model.get_output_embeddings()(last).float().log_softmax(-1)
        yes, no = (log_probabilities[:, list(ids)].exp().sum(-1) for ids in (self.tokens.yes, self.tokens.no))
        return yes.double().cpu().numpy(), no.double().cpu().numpy()


def judge_answers(judge: Judge, questions: list[str], answers: list[str], references: list[str]) -> Scores:
    """Scores as a reward uses them: content-free answers are not asked about and get the mass 0, so no YES."""
    yes, no = np.zeros(len(answers)), np.zeros(len(answers))
    pairs = enumerate(zip(answers, references, strict=True))
    asked = [index for index, (answer, reference) in pairs if not is_content_free(answer, reference)]
    scores = judge.score(*([column[index] for index in asked] for column in (questions, answers, references)))
    yes[asked], no[asked] = scores.yes, scores.no
    return Scores(yes, no)
