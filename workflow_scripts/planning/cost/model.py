"""Estimates of all GPU jobs of a config."""

from collections.abc import Callable

from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.graph import Graph
from workflow_scripts.planning.cost import judging, sampling, training
from workflow_scripts.planning.cost.estimate import Estimate, GpuJob, Unknown

STAGES: dict[str, Callable[[GpuJob], Estimate | None]] = {
    "prepare_model": training.finetune,
    "explore_policy": training.policy,
    "label_rollouts": judging.label,
    "distill_judge": training.distil,
    "audit_judge": judging.audit,
    "train_policy": training.policy,
    "sample_answers": sampling.sample,
    "grade_answers": judging.grade,
}


class CostModel:
    """The estimate of each artifact's job, and why there is none where something is not known."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self.unknown = graph, set()

    def of(self, artifact: Artifact) -> Estimate | None:
        """None for a job without GPUs or without work for them, and where `unknown` then says what is not known."""
        job = GpuJob.of(self._graph.config, artifact) if artifact.stage in STAGES else None
        if job is None:
            return None
        try:
            return STAGES[artifact.stage](job)
        except Unknown as reason:
            self.unknown.add(str(reason))
            return None

    def of_job(self, stage: str, identity: str) -> Estimate | None:
        """The estimate of the artifact of that name and key; None where the graph has no such."""
        artifact = self._graph.of_stage(stage).get(identity)
        return self.of(artifact) if artifact else None
