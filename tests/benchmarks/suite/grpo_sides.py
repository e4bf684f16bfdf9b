"""One GRPO step on both sides: ours and TRL's, the same model, prompts, responses' lengths and number of updates."""

import copy
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks.suite.materials import Material, questions
from tests.benchmarks.suite.measure import synchronize
from tests.benchmarks.suite.replay import ForcedEnds, ReplayEngine, check_lengths, prepare
from tests.benchmarks.suite.turns import MANY, PLAIN, Turns

GENERATION, OLD, UPDATE = "generation", "old log-probabilities", "update"
LR = 1e-6
Phases = dict[str, float]


@dataclass(frozen=True)
class Work:
    """What a step has to do. `old_pass`: ours makes the pass for old log-probabilities, as TRL must where several
    updates follow a rollout."""

    material: Material
    lengths: list[int]  # of the responses, prompts x samples
    samples: int
    updates: int
    old_pass: bool
    max_tokens: int
    device: str = "cpu"
    bfloat16: bool = False
    packing: bool = False
    micro_batch_tokens: int = 16384

    @property
    def prompts(self) -> int:
        return len(self.lengths) // self.samples


@dataclass
class Side:
    """A callable that makes one step, and the seconds of the phases of every step it made."""

    phases: list[Phases] = field(default_factory=list)

    def column(self, name: str, repetitions: int) -> list[float]:
        """Seconds of a phase in the last repetitions."""
        return [phases[name] for phases in self.phases[-repetitions:]]


def reward_of(texts: list[str]) -> list[float]:
    """As cheap as a reward can be, and never the same in a whole group."""
    return [float(len(text) % 3) for text in texts]


class Ours(Side):
    def __init__(self, work: Work) -> None:
        """Our Trainer, as the stage train_policy makes it, on one question set as large as a rollout."""
        import numpy as np

        from workflow_scripts.artifacts import Stage
        from workflow_scripts.artifacts.workdir import WorkDir
        from workflow_scripts.ranks import Ranks
        from workflow_scripts.rewards import RewardBatch, RewardResult
        from workflow_scripts.rl.rollout import Questions
        from workflow_scripts.rl.trainer import Trainer

        def reward(batch: RewardBatch) -> RewardResult:
            values = np.array(reward_of(batch.responses), dtype=np.float32)
            return RewardResult(values, values > 0, values)

        super().__init__()
        self.device, self.steps = work.device, 0
        model, tokenizer = copies(work)
        place = WorkDir(Path(tempfile.mkdtemp()), "train_policy", "bench-0000000000")
        place.start()
        self.stage = Stage({}, {}, place, None, Ranks(), MANY)
        self.questions = Questions(questions(work.prompts), tokenizer, work.material.template)
        self.trainer = Trainer(
            model=model,
            tokenizer=tokenizer,
            questions=self.questions,
            settings=settings(work),
            reward=reward,
            stage=self.stage,
        )
        sharded = self.trainer.engine.engine
        sharded.engine = ReplayEngine(sharded.engine, work.lengths, log_probs=not work.old_pass)

    def __call__(self) -> float:
        self.steps += 1
        before, cpu, start = dict(self.stage.timings), time.process_time(), time.perf_counter()
        self.trainer._step(self.steps)
        synchronize(self.device)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        spent = {name: self.stage.timings.get(name, 0.0) - before.get(name, 0.0) for name in (GENERATION, OLD, UPDATE)}
        self.phases.append({**spent, "cpu": cpu})
        return seconds


class Theirs(Side):
    def __init__(self, work: Work, texts: list[str]) -> None:
        """TRL's GRPOTrainer on the prompts `texts`, the chat template filled in."""
        from datasets import Dataset
        from trl import GRPOConfig, GRPOTrainer

        super().__init__()
        self.work, self.current = work, defaultdict(float)
        model, tokenizer = copies(work)
        rows = len(work.lengths)
        config = GRPOConfig(
            output_dir=tempfile.mkdtemp(),
            use_cpu=work.device == "cpu",
            bf16=work.bfloat16,
            gradient_checkpointing=False,
            per_device_train_batch_size=rows // work.updates,
            steps_per_generation=work.updates,
            gradient_accumulation_steps=1,
            num_iterations=1,
            num_generations=work.samples,
            max_completion_length=work.max_tokens,
            temperature=1.0,
            beta=0.0,
            epsilon=0.2,
            loss_type="dapo",  # the mean over all tokens, like our token-mean
            learning_rate=LR,
            lr_scheduler_type="constant",
            shuffle_dataset=False,
            **PLAIN,
        )
        self.trainer = GRPOTrainer(
            model=model,
            reward_funcs=lambda completions, **_: reward_of(completions),
            args=config,
            train_dataset=Dataset.from_dict({"prompt": texts}),
            processing_class=tokenizer,
        )
        self._time_phases(model)
        self.turns = Turns(self.trainer, work.updates)

    def __call__(self) -> float:
        self.current.clear()
        cpu = time.process_time()
        seconds = self.turns.take()
        cpu = time.process_time() - cpu
        spent = {GENERATION: self.current[GENERATION], OLD: self.current[OLD]}
        self.phases.append({**spent, UPDATE: seconds - self.current["rollout"], "cpu": cpu})
        return seconds

    def _time_phases(self, model: Any) -> None:
        trainer, generate, device = self.trainer, model.generate, self.work.device
        forced = ForcedEnds(self.work.lengths, device)
        model.generate = lambda **inputs: generate(**inputs, logits_processor=[forced])

        def timed(name: str, method: str, only_without_gradient: bool = False) -> None:
            plain = getattr(trainer, method)

            def call(*args: Any, **kwargs: Any) -> Any:
                if only_without_gradient and torch.is_grad_enabled():
                    return plain(*args, **kwargs)
                start = time.perf_counter()
                found = plain(*args, **kwargs)
                synchronize(device)
                self.current[name] += time.perf_counter() - start
                if name == GENERATION:
                    check_lengths([len(ids) for ids in found[0]], self.work.lengths)
                return found

            setattr(trainer, method, call)

        timed(GENERATION, "_generate_single_turn")
        timed(OLD, "_get_per_token_logps_and_entropies", only_without_gradient=True)
        timed("rollout", "_generate_and_score_completions")


def sides(work: Work) -> tuple[Ours, Theirs, list[int]]:
    """Both, and the lengths of the prompts. ValueError where they would not read the same tokens."""
    from workflow_scripts.data.prompts import render

    ours = Ours(work)
    tokenizer = copies(work)[1]
    asked = [render(work.material.template, question=text) for text in ours.questions.prompts]
    texts = [
        tokenizer.apply_chat_template([{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True)
        for text in asked
    ]
    tokens = [ours.questions.encode(index) for index in range(len(texts))]
    if tokenizer(texts)["input_ids"] != tokens:
        raise ValueError("TRL would read other tokens than ours")
    return ours, Theirs(work, texts), [len(row) for row in tokens]


def copies(work: Work) -> tuple[Any, Any]:
    """A model and a tokenizer of one's own, prepared for the replay."""
    model, tokenizer = copy.deepcopy(work.material.model), copy.deepcopy(work.material.tokenizer)
    prepare(model, tokenizer)
    return model.to(work.device), tokenizer


def settings(work: Work) -> Any:
    from workflow_scripts.rl.settings import Settings

    return Settings.from_config(
        {
            "seed": 0,
            "steps": MANY,
            "template": work.material.template,
            "rollout": {"prompts": work.prompts, "samples": work.samples, "max_tokens": work.max_tokens},
            "update": {
                "minibatches": work.updates,
                "lr": LR,
                "precision": "bfloat16" if work.bfloat16 else "float32",
                "packing": work.packing,
                "micro_batch_tokens": work.micro_batch_tokens,
            },
            "advantage": {"name": "grpo", "options": {}},
            "loss": {"name": "ppo_clip", "options": {}},
            "filter_groups": False,
        }
    )
