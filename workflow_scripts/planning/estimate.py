"""What a job will cost, from what earlier ones of its stage did cost, else by the cost model.

Earlier ones tell of a GPU job where they were made from inputs of the same names: the same model and data. Those of
the nearest settings count (same upstream names first, then fewest differing settings, seeds aside), scaled by the work
that the two configs state where cost is plainly proportional to it. Start-up is not told apart, so that jobs of seconds
are estimated too high or too low by seconds.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from workflow_scripts.artifacts.keys import identity_of, name_of
from workflow_scripts.planning.cost.model import CostModel
from workflow_scripts.planning.differences import leaves
from workflow_scripts.planning.dry_run import Job
from workflow_scripts.planning.records import Record, Records, stem


@dataclass(frozen=True)
class Cost:
    """Seconds of cores, of GPUs, and on the clock."""

    core: float
    gpu: float
    wall: float
    modelled: bool = False  # by the cost model, which knows of no cores


def _responses(config: dict) -> float:
    return config["steps"] * config["rollout"]["prompts"] * config["rollout"]["samples"]


def _examples(config: dict) -> float:
    training = config["source"].get("training")  # a model from the hub is only fetched
    return (training["steps"] or training["epochs"]) * training["batch"] if training else 1


def _answers(config: dict) -> float:
    return sum(benchmark["samples"] for benchmark in config["benchmarks"].values())


WORK: dict[str, Callable[[dict], float]] = {
    "explore_policy": _responses,
    "train_policy": _responses,
    "prepare_model": _examples,
    "distill_judge": lambda config: config["training"]["epochs"],
    "sample_answers": _answers,
}


class Estimates:
    """The cost of each planned job."""

    def __init__(self, records: Records, model: CostModel | None = None):
        self._records, self._model = records, model
        self._groups: dict[str, dict[tuple, list[Record]]] = {}

    def of(self, job: Job) -> Cost | None:
        """None where the stage has no earlier run to go by and the cost model says nothing."""
        groups = self._of_stage(job.stage)
        inputs = {(role, stem(name_of(identity_of(path)))) for role, path in job.inputs.items()}
        modelled = self._modelled(job)
        if modelled and not any(group[0] == inputs for group in groups):
            return modelled
        if not groups:
            return None
        settings = _settings(job.spec["config"])
        nearest = min(groups, key=lambda group: (len(group[0] ^ inputs), len(group[1] ^ settings)))
        costs = [_scaled(record, job) for record in groups[nearest]]
        return Cost(*(statistics.median(getattr(cost, part) for cost in costs) for part in ("core", "gpu", "wall")))

    def _modelled(self, job: Job) -> Cost | None:
        estimate = self._model.of_job(job.stage, job.identity) if self._model else None
        return Cost(0, estimate.gpu_seconds, estimate.seconds, modelled=True) if estimate else None

    def _of_stage(self, stage: str) -> dict[tuple, list[Record]]:
        """The earlier runs of a stage by upstream names and settings, seeds aside."""
        if stage not in self._groups:
            groups = self._groups[stage] = {}
            for record in self._records.of_stage(stage):
                names, spec = self._records.names, record.spec
                inputs = frozenset((role, stem(names[key][1])) for role, key in spec["inputs"].items() if key in names)
                groups.setdefault((inputs, _settings(spec["config"])), []).append(record)
        return self._groups[stage]


def _settings(config: dict) -> frozenset:
    return frozenset((path, repr(value)) for path, value in leaves(config) if path != "seed")


def _scaled(record: Record, job: Job) -> Cost:
    work, made = WORK.get(job.stage, lambda config: 1), record.provenance
    share = work(job.spec["config"]) / work(record.spec["config"])
    return Cost(*(share * (made.get(name) or 0) for name in ("core_seconds", "gpu_seconds", "seconds")))
