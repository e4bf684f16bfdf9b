"""The engine that samples from the policy as trained so far: loaded after every update, and checked.

A load may fail silently (a head that keeps its old weights, a cache that does), and then the run learns from the
answers of another policy. So after each one every engine answers fixed questions, and the log-probabilities that it
reports must be the trainer's.
"""

from typing import Any

from workflow_scripts.artifacts import StageError
from workflow_scripts.generation import EngineSettings, Generation, RolloutEngine, make_engine
from workflow_scripts.ranks import Ranks
from workflow_scripts.rl.backends import Backend
from workflow_scripts.rl.policy import all_log_probs
from workflow_scripts.rl.seeds import derive_seed
from workflow_scripts.rl.settings import Settings
from workflow_scripts.rl.sharded import ShardedEngine

PROBE_PROMPTS, PROBE_TOKENS = 8, 16
# mean |difference| of log-probabilities, nats; two correct programs in bfloat16 differ by 0.01 to 0.03 in the mean
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.05}


def sharded_engine(settings: Settings, model: Any, tokenizer: Any, ranks: Ranks) -> RolloutEngine:
    """The engine that the settings name, on every rank or group of ranks. Raises ValueError where they do not fit."""
    rollout = settings.rollout
    asked = EngineSettings(rollout.engine, rollout.tensor_parallel, settings.update.precision, rollout.gpu_memory)
    return ShardedEngine(make_engine(asked, model, tokenizer), ranks, rollout.tensor_parallel)


class PolicyEngine:
    """A `ShardedEngine` that follows a backend."""

    def __init__(
        self, engine: ShardedEngine, backend: Backend, settings: Settings, ranks: Ranks, probe: list[list[int]]
    ) -> None:
        """`probe`: the tokenized prompts that each engine answers after a load."""
        self.engine, self.backend, self.settings, self.ranks, self.probe = engine, backend, settings, ranks, probe
        self.shares_weights, self.close, self.sleep = engine.shares_weights, engine.close, engine.sleep

    def follow(self) -> None:
        """Load the backend's weights. Raises StageError where an engine then samples from other ones."""
        self.engine.load(self.backend.weights(), self.backend.updates)
        if not self.shares_weights:
            self._check()

    def generate(self, prompts: list[list[int]], **options: Any) -> Generation:
        """See `RolloutEngine`. Raises StageError where the weights are not those of the last update."""
        generation = self.engine.generate(prompts, **options)
        if generation.version != self.backend.updates:
            raise StageError(
                f"rollouts come from the weights after {generation.version} updates, the trainer has made "
                f"{self.backend.updates}"
            )
        return generation

    def _check(self) -> None:
        """Every engine gets the same prompts; the worst one counts."""
        prompts, engines = self.probe * self.engine.engines, self.engine.engines
        temperature = self.settings.rollout.temperature
        answers = self.generate(
            prompts,
            samples=1,
            max_tokens=min(PROBE_TOKENS, self.settings.rollout.max_tokens),
            temperature=temperature,
            seed=derive_seed("probe"),
        )
        budget = self.settings.update.micro_batch_tokens
        inputs = (self.backend.forward, prompts, answers.tokens, answers.mask)
        own, _ = all_log_probs(*inputs, budget=budget, temperature=temperature, ranks=self.ranks)
        gaps = ((own - answers.log_probs).abs() * answers.mask).reshape(engines, -1).sum(dim=-1)
        worst = float((gaps / answers.mask.reshape(engines, -1).sum(dim=-1)).max())
        tolerance = self.settings.rollout.probe_tolerance or TOLERANCE[self.settings.update.precision]
        if not worst <= tolerance:  # a NaN is no agreement
            raise StageError(
                f"rollout engine {self.settings.rollout.engine} does not run the trainer's weights: after update "
                f"{self.backend.updates} log-probabilities of a probe batch differ by {worst:.2g} in the mean, "
                f"{tolerance:g} is allowed (rollout.probe_tolerance)"
            )
