"""A Hugging Face trainer that runs a given number of updates at each call and waits in between.

Its own loop runs in a thread of its own, which stands still between the calls: the trainer is set up once, as its users
do, and two trainers take turns in one process. A turn is timed from the beginning of its first update to
the end of its last; what the loop does between turns (it fetches the next batch) is not counted.
"""

import threading
import time
from typing import Any

from transformers import TrainerCallback

from tests.benchmarks.suite.measure import synchronize

# What both of TRL's trainers are given: AdamW as ours is, and nothing beside the updates.
MANY = 10**6  # updates: more than are ever taken
PLAIN = {
    "weight_decay": 0.0,
    "max_grad_norm": 1.0,
    "optim": "adamw_torch_fused",
    "max_steps": MANY,
    "logging_strategy": "no",
    "save_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
    "dataloader_num_workers": 0,
    "dataloader_pin_memory": False,
}


class Turns(TrainerCallback):
    def __init__(self, trainer: Any, updates: int) -> None:
        """`updates` of the optimiser per turn. The trainer must have far more steps before it than are taken."""
        self._trainer, self._updates, self._seconds = trainer, updates, 0.0
        self._go, self._waiting = threading.Semaphore(0), threading.Semaphore(0)
        self._error: BaseException | None = None
        trainer.add_callback(self)
        threading.Thread(target=self._train, daemon=True).start()
        self._wait()

    def take(self) -> float:
        """Run the next updates; seconds of wall time. Raises what the trainer raised."""
        self._go.release()
        self._wait()
        return self._seconds

    def _wait(self) -> None:
        self._waiting.acquire()
        if self._error:
            raise self._error

    def _train(self) -> None:
        try:
            self._trainer.train()
            raise RuntimeError("the trainer has run out of steps")
        except BaseException as error:
            self._error = error
        self._waiting.release()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self._updates == 0:
            self._waiting.release()
            self._go.acquire()
            self._seconds = -time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self._updates == 0:
            synchronize(args.device.type)
            self._seconds += time.perf_counter()
