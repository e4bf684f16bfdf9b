"""Steps of the judge's distillation (judge prompt -> YES or NO) against TRL's SFTTrainer on the same examples.

Fairness. The same architecture and weights, the same token ids (TRL gets them tokenized, with the completion marked),
the same batch size, fp32, one thread, AdamW fused with the same moments, gradients clipped at 1, a loss on the
completion alone, no weight decay. Ours is `models.sft.fit` on the backend and the settings of the stage distill_judge.
Both sides take batches of like lengths from shuffled examples: ours always does, TRL with `group_by_length`. TRL runs
without gradient checkpointing, logging, saving and data loader workers, with its fused head; packing and padding-free
batches need a flash-attention kernel that no CPU has. A turn is several updates (one at 135M); of TRL's turn the first
batch's collation is not counted, ours is.

nano: batches of 32 as in config/nano.yaml, the judge base's architecture. SmolLM2-135M: its own weights, the paper's
judge prompt, batches of 4. The share is that of the useful operations (no padding, a prompt's last state alone goes
through the head) in what a matrix product could do in the CPU seconds of our turn.
"""

import copy
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.suite import materials
from tests.benchmarks.suite.flops import Shape, forward_flops, peak_share
from tests.benchmarks.suite.measure import Row, alternate, gemm_peak
from tests.benchmarks.suite.profile import profiled
from tests.benchmarks.suite.turns import PLAIN, Turns

LR = 1e-6
Examples = list[tuple[list[int], list[int]]]


@dataclass(frozen=True)
class Case:
    material: materials.Material
    examples: Examples
    batch: int
    updates: int  # of a turn
    repetitions: int


def rows(quick: bool) -> Iterator[Row]:
    yield measured(nano_case(quick))
    if not quick:
        yield measured(smollm2_case())


def nano_case(quick: bool = False) -> Case:
    material = materials.nano_judge()
    return Case(material, examples(material, 2048), 32, 10 if quick else 40, 2 if quick else 9)


def smollm2_case() -> Case:
    material = materials.smollm2("judge_paper")
    return Case(material, examples(material, 64), 4, 1, 3)


def examples(material: materials.Material, rows: int) -> Examples:
    """Judge prompts and the token of their verdict."""
    from workflow_scripts.data.prompts import render
    from workflow_scripts.models.loading import encode_chat
    from workflow_scripts.models.scratch import VERDICTS

    tokenizer, pairs = material.tokenizer, materials.judge_pairs(rows)
    verdict = {truth: tokenizer(word, add_special_tokens=False)["input_ids"][:1] for truth, word in VERDICTS.items()}
    columns = zip(pairs["prompt"], pairs["answer"], pairs["reference"], strict=True)
    texts = [render(material.template, question=q, answer=a, reference=r) for q, a, r in columns]
    equal = pairs["equivalent"]
    return [(encode_chat(tokenizer, text), verdict[same]) for text, same in zip(texts, equal, strict=True)]


class Ours:
    def __init__(self, case: Case) -> None:
        from workflow_scripts.models.sft import BETAS
        from workflow_scripts.ranks import Ranks
        from workflow_scripts.rl.backends import make_backend
        from workflow_scripts.rl.settings import UpdateSettings

        self.case, self.turn, self.cpu = case, 0, []
        update = UpdateSettings(1, LR, betas=BETAS)
        self.backend = make_backend(copy.deepcopy(case.material.model), update, Ranks(), rollout_copy=False)

    def __call__(self) -> float:
        from workflow_scripts.models.sft import Schedule, fit

        self.turn += 1
        schedule = Schedule(steps=self.case.updates, batch=self.case.batch, lr=LR, warmup=0, seed=self.turn)
        start, cpu = time.perf_counter(), time.process_time()
        fit(self.backend, self.case.examples, schedule)
        seconds = time.perf_counter() - start
        self.cpu.append(time.process_time() - cpu)
        return seconds


class Theirs:
    def __init__(self, case: Case) -> None:
        from datasets import Dataset
        from trl import SFTConfig, SFTTrainer

        from workflow_scripts.models.sft import BETAS

        self.cpu: list[float] = []
        config = SFTConfig(
            output_dir=tempfile.mkdtemp(),
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            per_device_train_batch_size=case.batch,
            gradient_accumulation_steps=1,
            completion_only_loss=True,
            max_length=None,
            train_sampling_strategy="group_by_length",
            learning_rate=LR,
            adam_beta1=BETAS[0],
            adam_beta2=BETAS[1],
            **PLAIN,
        )
        columns = {
            "input_ids": [prompt + completion for prompt, completion in case.examples],
            "completion_mask": [[0] * len(prompt) + [1] * len(completion) for prompt, completion in case.examples],
        }
        trainer = SFTTrainer(
            model=copy.deepcopy(case.material.model),
            args=config,
            train_dataset=Dataset.from_dict(columns),
            processing_class=copy.deepcopy(case.material.tokenizer),
        )
        self.turns = Turns(trainer, case.updates)

    def __call__(self) -> float:
        cpu = time.process_time()
        seconds = self.turns.take()
        self.cpu.append(time.process_time() - cpu)
        return seconds


def measured(case: Case) -> Row:
    ours, theirs, count = Ours(case), Theirs(case), case.repetitions
    values = alternate(ours, theirs, count)
    cpu = [median(side.cpu[-count:]) for side in (ours, theirs)]
    flops = turn_flops(case)
    steps = f"{case.updates} updates" if case.updates > 1 else "1 update"
    return Row(
        "Distillation step",
        f"{case.material.name}, {steps} of {case.batch} examples",
        "ours",
        "TRL SFTTrainer",
        "s",
        *values,
        "cpu, 1 thread",
        peak_share=peak_share(flops, cpu[0], gemm_peak()),
        limit=profiled(ours).line(),
        note=f"in CPU seconds {cpu[1] / cpu[0]:.2f} x; {flops / 1e9:.2f} GFLOP a turn are needed",
    )


def turn_flops(case: Case) -> float:
    """Operations of a turn with examples of the mean size: forward, and twice as much backward."""
    shape = Shape.of(case.material.model.config)
    whole = sum(
        forward_flops(shape, tokens=len(prompt), pairs=len(prompt) * (len(prompt) + 1) // 2, predicted=1)
        for prompt, _ in case.examples
    )
    return 3 * whole / len(case.examples) * case.batch * case.updates
