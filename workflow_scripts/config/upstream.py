"""What is made before any arm is trained: data, models, explorations, labels, judges and their audits."""

import math
import re
from pathlib import Path

from workflow_scripts.artifacts.accepted import Accepted
from workflow_scripts.artifacts.fingerprint import fingerprint
from workflow_scripts.config.artifact import Artifact, once, plain
from workflow_scripts.config.files import source_digests
from workflow_scripts.config.models import Config
from workflow_scripts.hub import FILES


class Upstream:
    """Artifacts by their names in a config, each made once."""

    def __init__(self, config: Config, root: Path) -> None:
        self.config = config
        self._lock = root / "envs" / f"{config.environment}.txt"
        self.accepted = Accepted(Path(config.results) / "accepted.json")
        self._known: dict[tuple, Artifact] = {}
        self._made: dict[tuple, object] = {}

    @property
    def artifacts(self) -> list[Artifact]:
        return list(self._known.values())

    def _artifact(self, stage: str, name: str, config: dict, **inputs: Artifact) -> Artifact:
        code = fingerprint(stage, config, self._lock)
        artifact = Artifact(stage, name, config, self.accepted.name_of(stage, code), code, inputs)
        return self._known.setdefault((stage, artifact.identity), artifact)

    def _upstream_seed(self, seed: int) -> int:
        return seed if self.config.replicates == "full" else self.config.seed

    # -------------------------------------------------------------------------------- data and models
    @once
    def download(self, kind: str, repo: str, revision: str) -> Artifact:
        """A repository of the hub (kind: model, dataset) at a commit, shared by all that is made from it."""
        slice_ = {"kind": kind, "repo": repo, "revision": revision, "files": sorted(FILES[kind])}
        return self._artifact(f"fetch_{kind}", f"{kind}.{re.sub('[^a-z0-9_.]', '_', repo.lower())}", slice_)

    @once
    def data(self, name: str, seed: int) -> Artifact:
        dataset, seed = self.config.datasets[name], self._upstream_seed(seed)
        slice_ = {"dataset": name, **plain(dataset, "source", "splits"), "seed": seed}
        if dataset.source.kind == "file":
            slice_["source"]["sha256"] = source_digests(dataset)
        inputs = {f"against:{other}": self.data(other, seed) for other in dataset.against}
        if dataset.source.kind == "pairs":
            inputs = {f"questions:{other}": self.data(other, seed) for other in slice_["source"].pop("questions")}
        if dataset.source.kind == "mixture":
            parts = {part.partition(".")[0] for part in dataset.source.parts}
            inputs |= {f"part:{part}": self.data(part, seed) for part in sorted(parts)}
        if dataset.source.kind == "hub" and dataset.source.downloaded:
            inputs["download"] = self.download("dataset", dataset.source.repo, dataset.source.revision)
        return self._artifact("sample_data", f"{name}.s{seed}", slice_, **inputs)

    @once
    def model(self, name: str, seed: int) -> Artifact:
        source, seed = self.config.models[name].source, self._upstream_seed(seed)
        if source.kind in ("hub", "gguf"):
            hub = source.kind == "hub"
            inputs = {"download": self.download("model", source.repo, source.revision)} if hub else {}
            slice_ = {"model": name, "source": plain(source), "seed": 0}
            return self._artifact("prepare_model", name, slice_, **inputs)
        slice_ = {"model": name, "source": plain(source) | {"template": self._template(name)}, "seed": seed}
        if source.kind == "scratch":
            return self._artifact("prepare_model", f"{name}.s{seed}", slice_, data=self.data(source.data, seed))
        dataset, slice_["source"]["split"] = source.split
        inputs = {"base": self.model(slice_["source"].pop("base"), seed), "data": self.data(dataset, seed)}
        del slice_["source"]["data"]
        return self._artifact("prepare_model", f"{name}.s{seed}", slice_, **inputs)

    def _template(self, model: str) -> str:
        return self.config.models[model].template

    def _judging(self, model: str) -> dict:
        """How a model is asked where it judges: its template and its engine."""
        return plain(self.config.models[model], "template", "judging")

    # ---------------------------------------------------------------------------------------- judge
    @once
    def exploration(self, name: str, seed: int) -> Artifact:
        explore, seed = self.config.explorations[name], self._upstream_seed(seed)
        dataset, split = explore.data.split(".")
        reward = {"kind": "teacher", "soft": False, "form": "normalized", "threshold": 0.5}
        slice_ = {
            "split": split,
            "seed": seed,
            "template": self._template(explore.policy),
            **self._training(explore.policy, explore.algorithm, explore.entropy),
            "reward": reward | self._judging(explore.teacher),
            "monitors": self._monitors(dataset),
            "grading": self._grading(dataset),
        }
        inputs = {"policy": self.model(explore.policy, seed), "teacher": self.model(explore.teacher, seed)}
        return self._artifact("explore_policy", f"{name}.s{seed}", slice_, **inputs, data=self.data(dataset, seed))

    @once
    def labels(self, judge: str, seed: int) -> Artifact:
        """The label table; above `rollouts_per_job` rollouts from the scores of several jobs."""
        exploration, seed = self.config.judges[judge].exploration, self._upstream_seed(seed)
        settings, teacher = self.config.judges[judge].labels, self.config.explorations[exploration].teacher
        slice_ = {"seed": seed, **self._judging(teacher), **plain(settings)}
        jobs = math.ceil(self._rollouts(exploration) / slice_.pop("rollouts_per_job"))
        name, inputs = f"{exploration}.s{seed}", {"rollouts": self.exploration(exploration, seed)}
        scoring = inputs | {"teacher": self.model(teacher, seed)}
        if jobs == 1:
            return self._artifact("label_rollouts", name, slice_ | {"jobs": 1, "job": None}, **scoring)
        for job in range(jobs):
            scores = self._artifact(
                "label_rollouts", f"{name}.job{job}", slice_ | {"jobs": jobs, "job": job}, **scoring
            )
            inputs[f"job:{job}"] = scores
        return self._artifact("label_rollouts", name, slice_ | {"jobs": jobs, "job": None}, **inputs)

    def _rollouts(self, exploration: str) -> int:
        """Rollouts of an exploration, at most."""
        algorithm = self.config.algorithms[self.config.explorations[exploration].algorithm]
        rollout = algorithm.rollout
        return algorithm.steps * rollout.prompts * rollout.samples * rollout.max_batches

    @once
    def judge(self, name: str, seed: int) -> Artifact:
        judge, seed = self.config.judges[name], self._upstream_seed(seed)
        slice_ = {"seed": seed, **self._judging(judge.base)} | plain(judge, "training", "adversarial_negatives")
        slice_["judging"] |= {"engine": "inprocess", "precision": judge.training.precision}  # beside the training
        inputs = {"judge_base": self.model(judge.base, seed), "labels": self.labels(name, seed)}
        return self._artifact("distill_judge", f"judge.{name}.s{seed}", slice_, **inputs)

    @once
    def audit(self, name: str, seed: int) -> Artifact:
        judge, seed = self.config.judges[name], self._upstream_seed(seed)
        exploration = self.config.explorations[judge.exploration]
        dataset, split = exploration.data.split(".")
        models = {"teacher": exploration.teacher, "base": judge.base, "distilled": judge.base}
        slice_ = {"seed": seed, "split": split, "template": self._template(judge.base), **plain(judge, "gate")}
        slice_["judging"] = {role: self._judging(model)["judging"] for role, model in models.items()}
        inputs = {
            "judge": self.judge(name, seed),
            "judge_base": self.model(judge.base, seed),
            "teacher": self.model(exploration.teacher, seed),
            "labels": self.labels(name, seed),
            "data": self.data(dataset, seed),
        }
        slice_ |= plain(judge.audit) | {"compare": {}, "grading": self._grading(dataset)}
        for other in judge.audit.compare:
            slice_["compare"][other] = self._judging(other)
            inputs[f"compare:{other}"] = self.model(other, seed)
        second = judge.audit.second_rater
        if second and second.kind == "model":
            slice_["second_rater"] |= self._judging(second.model)
            inputs["second"] = self.model(second.model, seed)
            models["second"] = second.model
        raters = {*models.values(), *judge.audit.compare}
        slice_["engines"] = sorted({self.config.models[model].judging.engine for model in raters})
        return self._artifact("audit_judge", f"audit.{name}.s{seed}", slice_, **inputs)

    # ------------------------------------------------------------------------ what explorations and arms share
    def _training(self, policy: str, algorithm: str, entropy: str) -> dict:
        slice_ = plain(self.config.algorithms[algorithm])
        vllm, sampling = slice_["rollout"]["engine"] == "vllm", self.config.models[policy].sampling
        slice_["rollout"]["tensor_parallel"] = sampling.tensor_parallel if vllm else 1
        control = self.config.entropy[entropy]
        for name in ("entropy_coef", "entropy_target"):
            if getattr(control, name) is not None:
                slice_["update"][name] = getattr(control, name)
        loss = {"name": control.loss, **plain(control, "options", "aggregation", "scope", "normalization")}
        return {**slice_, "loss": loss}

    def _grading(self, dataset: str) -> str:
        return self.config.datasets[dataset].grading

    def _monitors(self, dataset: str) -> list[str]:
        """Rewards that are logged beside the one trained on; the truth only where a generator knows it."""
        return ["rule", "truth"] if self.config.datasets[dataset].source.kind == "generator" else ["rule"]
