"""A generative judge: the probabilities of YES and NO as its first answer token.

The model reads a filled template as one chat message. Who runs the network is the engine's business
(`judge_engines/`); what is asked and what the answer means is decided here, so that a judge means the same in this
process, under vLLM and behind a server. Equal triples of one call are scored once.

A prompt that is longer than the model reads loses the middle of its question: its two ends, the whole last line and
the whole reference stay. One that does not fit without its question is not asked about and scores 0, like an answer
without content.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.data.prompts import render
from workflow_scripts.models.loading import encode_chats, load_tokenizer
from workflow_scripts.rewards.content import is_content_free
from workflow_scripts.rewards.judge_engines import EngineSettings, Job, JudgeEngine, make_judge_engine, model_length
from workflow_scripts.rewards.verdict_tokens import VerdictTokens, resolve_verdict_tokens

LOW_MASS = 0.5  # below it some other token can be the likeliest: the judge says neither YES nor NO
CUT = " … "  # stands for the middle of a question that was too long


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
    def low_mass(self) -> np.ndarray:
        """(B,) bool: it was asked and wanted to say something else."""
        return (self.mass > 0) & ~self.answered

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
    """A causal language model that judges (question, answer, reference) triples by a template.

    `limit`: tokens of the longest prompt, the verdict not counted.
    """

    def __init__(self, engine: JudgeEngine, tokenizer: Any, template: str, limit: int = 4095) -> None:
        self.engine = engine
        self.tokenizer = tokenizer
        self.template = template
        self.limit = limit
        self.tokens: VerdictTokens = resolve_verdict_tokens(tokenizer)

    @classmethod
    def load(
        cls,
        model_dir: Path | str,
        template: str,
        batch: int = 256,
        settings: EngineSettings | None = None,
        job: Job | None = None,
    ) -> "Judge":
        """Raises StageError in one line where YES or NO is no single token of the model's tokenizer.

        Without `settings` the network runs in this process, `batch` prompts at a time.
        """
        path, tokenizer = Path(model_dir), load_tokenizer(model_dir)
        settings = settings or EngineSettings(batch=batch)
        resolve_verdict_tokens(tokenizer)  # before minutes are spent on weights
        engine = make_judge_engine(path, settings, job or Job())
        return cls(engine, tokenizer, template, model_length(path, settings) - 1)

    @property
    def model(self) -> Any:
        """The network itself, of an engine that runs it in this process."""
        return self.engine.model

    def encode(self, question: str, answer: str, reference: str) -> list[int] | None:
        """Token ids of the filled template as a chat message that asks for the answer.

        A question that is too long loses its middle; None where the rest alone is too long.
        """
        ids = self._encode([(question, answer, reference)])[0]
        whole = kept = len(question)
        while len(ids) > self.limit and kept:
            room = 1 - (len(ids) - self.limit) / len(ids)  # as if all characters took equally many tokens
            kept = min(kept - 1, int(kept * room))
            head = kept - kept // 2
            shortened = question[:head] + CUT + question[whole - kept // 2 :] if kept else ""
            ids = self._encode([(shortened, answer, reference)])[0]
        return ids if len(ids) <= self.limit else None

    def _encode(self, triples: Iterable[tuple[str, str, str]]) -> list[list[int]]:
        texts = [render(self.template, question=q, answer=a, reference=r) for q, a, r in triples]
        return encode_chats(self.tokenizer, texts)

    def score(self, questions: Sequence[str], answers: Sequence[str], references: Sequence[str]) -> Scores:
        """Probabilities of YES and NO for B triples; equal triples get equal numbers."""
        triples = list(zip(questions, answers, references, strict=True))
        distinct = {triple: index for index, triple in enumerate(dict.fromkeys(triples))}
        whole = zip(distinct, self._encode(distinct), strict=True)
        prompts = [ids if len(ids) <= self.limit else self.encode(*triple) for triple, ids in whole]
        asked = [index for index, prompt in enumerate(prompts) if prompt is not None]
        yes, no = np.zeros(len(prompts)), np.zeros(len(prompts))
        yes[asked], no[asked] = self.engine.probabilities([prompts[index] for index in asked], self.tokens)
        places = np.array([distinct[triple] for triple in triples], dtype=np.int64)
        return Scores(yes[places], no[places])

    def close(self) -> None:
        """Stop what the engine has started."""
        self.engine.close()

    def __enter__(self) -> "Judge":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def load_judge(stage: Any, role: str, config: dict[str, Any]) -> Judge:
    """The judge in a stage's input `role`, by the `template` and `judging` of a config slice.

    To be closed (`with load_judge(...) as judge:`): it may have started a server. Every rank of the job must call.
    """
    return judge_of(stage.path(role, "model"), stage, config, role)


def judge_of(folder: Path, stage: Any, config: dict[str, Any], name: str = "judge") -> Judge:
    """Likewise of a model directory; `name` is that of a server's log."""
    settings = EngineSettings(**config.get("judging", {}))
    job = Job(stage.ranks, stage.checkpoints / f"{name}.server.log")
    return Judge.load(folder, config["template"], settings=settings, job=job)


def judge_answers(judge: Judge, questions: list[str], answers: list[str], references: list[str]) -> Scores:
    """Scores as a reward uses them: content-free answers are not asked about and get the mass 0, so no YES."""
    yes, no = np.zeros(len(answers)), np.zeros(len(answers))
    pairs = enumerate(zip(answers, references, strict=True))
    asked = [index for index, (answer, reference) in pairs if not is_content_free(answer, reference)]
    scores = judge.score(*([column[index] for index in asked] for column in (questions, answers, references)))
    yes[asked], no[asked] = scores.yes, scores.no
    return Scores(yes, no)
