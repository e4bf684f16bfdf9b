"""From the config to the graph of artifacts: one spec, key and path for every job, before Snakemake sees anything.

An artifact's spec is the slice of the config that its stage reads, the fingerprint of the code that computes it and
the keys of its upstream artifacts. A rule asks this graph for everything by the artifact's name in the path.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path

from workflow_scripts.artifacts.accepted import Accepted
from workflow_scripts.artifacts.fingerprint import fingerprint
from workflow_scripts.artifacts.keys import canonical_json, key
from workflow_scripts.config.arms import Arm, expand_arms
from workflow_scripts.config.files import source_digests
from workflow_scripts.config.models import Benchmark, Config

FOLDERS = {
    "sample_data": "data",
    "prepare_model": "models",
    "explore_policy": "exploration",
    "label_rollouts": "labels",
    "distill_judge": "judges",
    "audit_judge": "judges",
    "train_policy": "policies",
    "sample_answers": "evaluations",
    "grade_answers": "evaluations",
    "fit_entropy_law": "tables",
    "compare_results": "tables",
    "render_report": "report",
}
STABLE = {"fit_entropy_law": "entropy_law", "compare_results": "comparison", "render_report": ""}


@dataclass(frozen=True)
class Artifact:
    """One job and what it makes."""

    stage: str
    name: str
    config: dict
    code: str
    here: str = field(compare=False)
    inputs: dict[str, "Artifact"] = field(default_factory=dict)

    @cached_property
    def spec(self) -> dict:
        upstream = {role: artifact.key for role, artifact in self.inputs.items()}
        return {"stage": self.stage, "config": self.config, "code": self.code, "inputs": upstream}

    @cached_property
    def key(self) -> str:
        return key(self.spec)

    @property
    def identity(self) -> str:
        return f"{self.name}-{self.key}"

    @property
    def manifest(self) -> str:
        """Path of the manifest below the results root; on a stable path the key stands in the file's name."""
        folder = FOLDERS[self.stage]
        if self.stage in STABLE:
            return "/".join(part for part in (folder, STABLE[self.stage], f"manifest-{self.key}.json") if part)
        return f"{folder}/{self.identity}/manifest.json"


def _once(make: Callable) -> Callable:
    """A method of the graph that is worked out once per arguments, however many artifacts read what it gives."""

    @wraps(make)
    def recall(self, *args):
        call = (make.__name__, *args)
        if call not in self._made:
            self._made[call] = make(self, *args)
        return self._made[call]

    return recall


class Graph:
    """All artifacts of a config, by stage and identity."""

    def __init__(self, config: Config, root: Path, claims: dict | None = None, published: dict | None = None):
        self.config, self.claims, self.published = config, claims or {}, published or {}
        self._lock = root / "envs" / f"{config.environment}.txt"
        self.accepted = Accepted(Path(config.results) / "accepted.json")
        self._known: dict[tuple, Artifact] = {}
        self._made: dict[tuple, object] = {}
        self.arms = expand_arms(config)
        self.report = self._report()
        self._by_stage: dict[str, dict[str, Artifact]] = {}
        for artifact in self.artifacts:
            self._by_stage.setdefault(artifact.stage, {})[artifact.identity] = artifact

    @property
    def artifacts(self) -> list[Artifact]:
        return list(self._known.values())

    def of_stage(self, stage: str) -> dict[str, Artifact]:
        """Artifacts of a stage by identity (name-key)."""
        return self._by_stage.get(stage, {})

    def of_study(self, study: str) -> list[Artifact]:
        """The graded answers of a study's arms; the policies of those that no benchmark is asked of."""
        return [self.of_arm(arm)[0] for arm in self.arms if study in arm.studies]

    def of_arm(self, arm: Arm) -> list[Artifact]:
        """The graded answers of an arm and those of the policy that it starts from; without benchmarks its policy."""
        if not self._benchmarks([arm]):
            return [self.policy(arm)]
        return [self.grades(arm), self.grades(None, arm.policy, self._upstream_seed(arm.seed))]

    def _benchmarks(self, arms: list[Arm]) -> dict[str, Benchmark]:
        """What these arms are evaluated on: the union of what their studies ask for."""
        studies = [self.config.studies[name] for name in {name for arm in arms for name in arm.studies}]
        wanted = {name for study in studies for name in self._all_or(study.benchmarks)}
        return {name: benchmark for name, benchmark in self.config.benchmarks.items() if name in wanted}

    def _all_or(self, benchmarks: list[str] | None) -> list[str]:
        return list(self.config.benchmarks) if benchmarks is None else benchmarks

    def _artifact(self, stage: str, name: str, config: dict, **inputs: Artifact) -> Artifact:
        code = fingerprint(stage, config, self._lock)
        artifact = Artifact(stage, name, config, self.accepted.name_of(stage, code), code, inputs)
        return self._known.setdefault((stage, artifact.identity), artifact)

    def _upstream_seed(self, seed: int) -> int:
        return seed if self.config.replicates == "full" else self.config.seed

    # -------------------------------------------------------------------------------- data and models
    @_once
    def data(self, name: str, seed: int) -> Artifact:
        dataset, seed = self.config.datasets[name], self._upstream_seed(seed)
        slice_ = {"dataset": name, **_plain(dataset, "source", "splits"), "seed": seed}
        if dataset.source.kind == "file":
            slice_["source"]["sha256"] = source_digests(dataset)
        against = {f"against:{other}": self.data(other, seed) for other in dataset.against}
        return self._artifact("sample_data", f"{name}.s{seed}", slice_, **against)

    @_once
    def model(self, name: str, seed: int) -> Artifact:
        source, seed = self.config.models[name].source, self._upstream_seed(seed)
        if source.kind == "hub":
            return self._artifact("prepare_model", name, {"model": name, "source": _plain(source), "seed": 0})
        slice_ = {"model": name, "source": _plain(source) | {"template": self._template(name)}, "seed": seed}
        return self._artifact("prepare_model", f"{name}.s{seed}", slice_, data=self.data(source.data, seed))

    def _template(self, model: str) -> str:
        return self.config.models[model].template

    def _judging(self, model: str) -> dict:
        """How a model is asked where it judges: its template and its engine."""
        return _plain(self.config.models[model], "template", "judging")

    # ---------------------------------------------------------------------------------------- judge
    @_once
    def exploration(self, name: str, seed: int) -> Artifact:
        explore, seed = self.config.explorations[name], self._upstream_seed(seed)
        dataset, split = explore.data.split(".")
        reward = {"kind": "teacher", "soft": False, "form": "normalized", "threshold": 0.5}
        slice_ = {
            "split": split,
            "seed": seed,
            "template": self._template(explore.policy),
            **self._training(explore.algorithm, explore.entropy),
            "reward": reward | self._judging(explore.teacher),
            "monitors": self._monitors(dataset),
            "grading": self._grading(dataset),
        }
        inputs = {"policy": self.model(explore.policy, seed), "teacher": self.model(explore.teacher, seed)}
        return self._artifact("explore_policy", f"{name}.s{seed}", slice_, **inputs, data=self.data(dataset, seed))

    @_once
    def labels(self, judge: str, seed: int) -> Artifact:
        """The label table; above `rollouts_per_job` rollouts from the scores of several jobs."""
        exploration, seed = self.config.judges[judge].exploration, self._upstream_seed(seed)
        settings, teacher = self.config.judges[judge].labels, self.config.explorations[exploration].teacher
        slice_ = {"seed": seed, **self._judging(teacher), **_plain(settings)}
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

    @_once
    def judge(self, name: str, seed: int) -> Artifact:
        judge, seed = self.config.judges[name], self._upstream_seed(seed)
        slice_ = {"seed": seed, **self._judging(judge.base)} | _plain(judge, "training", "adversarial_negatives")
        slice_["judging"] |= {"engine": "inprocess", "precision": "float32"}  # it is trained there, from whole weights
        inputs = {"judge_base": self.model(judge.base, seed), "labels": self.labels(name, seed)}
        return self._artifact("distill_judge", f"judge.{name}.s{seed}", slice_, **inputs)

    @_once
    def audit(self, name: str, seed: int) -> Artifact:
        judge, seed = self.config.judges[name], self._upstream_seed(seed)
        exploration = self.config.explorations[judge.exploration]
        dataset, split = exploration.data.split(".")
        models = {"teacher": exploration.teacher, "base": judge.base, "distilled": judge.base}
        slice_ = {"seed": seed, "split": split, "template": self._template(judge.base), **_plain(judge, "gate")}
        slice_["judging"] = {role: self._judging(model)["judging"] for role, model in models.items()}
        inputs = {
            "judge": self.judge(name, seed),
            "judge_base": self.model(judge.base, seed),
            "teacher": self.model(exploration.teacher, seed),
            "labels": self.labels(name, seed),
            "data": self.data(dataset, seed),
        }
        slice_ |= _plain(judge.audit) | {"compare": {}, "grading": self._grading(dataset)}
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

    # ---------------------------------------------------------------------------------- arms and grades
    @_once
    def policy(self, arm: Arm) -> Artifact:
        dataset, split = arm.data.split(".")
        slice_ = {
            "split": split,
            "seed": arm.seed,
            "template": self._template(arm.policy),
            **self._training(arm.algorithm, arm.entropy),
            "reward": self._reward(arm.reward),
            "monitors": self._monitors(dataset),
            "grading": self._grading(dataset),
            "validation": self._validation(),
        }
        inputs = {"policy": self.model(arm.policy, arm.seed), "data": self.data(dataset, arm.seed)}
        validation = self.config.validation.data.split(".")[0]
        if validation != dataset:
            inputs["validation"] = self.data(validation, arm.seed)
        return self._artifact("train_policy", arm.name, slice_, **inputs, **self._reward_models(arm))

    def _training(self, algorithm: str, entropy: str) -> dict:
        slice_ = _plain(self.config.algorithms[algorithm])
        control = self.config.entropy[entropy]
        for name in ("entropy_coef", "entropy_target"):
            if getattr(control, name) is not None:
                slice_["update"][name] = getattr(control, name)
        loss = {"name": control.loss, **_plain(control, "options", "aggregation", "scope", "normalization")}
        return {**slice_, "loss": loss}

    def _validation(self) -> dict:
        return _plain(self.config.validation, "every", "questions", "samples") | {
            "split": self.config.validation.data.split(".")[1],
            "grading": self._grading(self.config.validation.data.split(".")[0]),
        }

    def _reward(self, name: str) -> dict:
        reward = self.config.rewards[name]
        slice_ = _plain(reward)
        model = slice_.pop("teacher", None)
        if reward.kind == "judge":
            model = self.config.judges[slice_.pop("judge")].base
        return slice_ | (self._judging(model) if model else {})

    def _reward_models(self, arm: Arm) -> dict[str, Artifact]:
        reward = self.config.rewards[arm.reward]
        if reward.kind == "judge":
            return {"judge": self.judge(reward.judge, arm.seed), "audit": self.audit(reward.judge, arm.seed)}
        return {"teacher": self.model(reward.teacher, arm.seed)} if reward.kind == "teacher" else {}

    def _grading(self, dataset: str) -> str:
        return self.config.datasets[dataset].grading

    def _monitors(self, dataset: str) -> list[str]:
        """Rewards that are logged beside the one trained on; the truth only where a generator knows it."""
        return ["rule", "truth"] if self.config.datasets[dataset].source.kind == "generator" else ["rule"]

    @_once
    def answers(self, arm: Arm | None, policy: str = "", seed: int = 0) -> Artifact:
        """Sampled answers of an arm, or of an untrained model."""
        name, seed = (arm.name, arm.seed) if arm else (f"{policy}.s{self._upstream_seed(seed)}", seed)
        model = self.policy(arm) if arm else self.model(policy, seed)
        template = self._template(arm.policy if arm else policy)
        asked = self._benchmarks([arm] if arm else self._arms_from(policy, seed))
        benchmarks = {
            benchmark: _plain(settings, "samples", "temperature", "max_tokens") | {"split": settings.data.split(".")[1]}
            for benchmark, settings in asked.items()
        }
        slice_ = {"seed": seed, "template": template, "benchmarks": benchmarks, "engine": "inprocess"}
        data = self._benchmark_data(asked, seed)
        return self._artifact("sample_answers", f"answers.{name}", slice_, policy=model, **data)

    def _arms_from(self, policy: str, seed: int) -> list[Arm]:
        """The arms that start from a policy and seed."""
        return [arm for arm in self.arms if arm.policy == policy and self._upstream_seed(arm.seed) == seed]

    @_once
    def grades(self, arm: Arm | None, policy: str = "", seed: int = 0) -> Artifact:
        answers, seed = self.answers(arm, policy, seed), arm.seed if arm else seed
        asked = self._benchmarks([arm] if arm else self._arms_from(policy, seed))
        graders = sorted({grader for settings in asked.values() for grader in settings.graders})
        slice_ = {"seed": seed, "graders": graders, "benchmarks": {}}
        for benchmark, settings in asked.items():
            dataset, split = settings.data.split(".")
            own = {"split": split, "graders": sorted(settings.graders), "grading": self._grading(dataset)}
            votes = _plain(settings, "votes", "vote_temperature") if "teacher" in settings.graders else {}
            slice_["benchmarks"][benchmark] = own | votes
        inputs = {"answers": answers}
        if "teacher" in graders:
            slice_["teacher"] = self._judging(self.config.teacher)
            inputs["teacher"] = self.model(self.config.teacher, seed)
        if "judge" in graders:
            slice_["judge"] = self._judging(self.config.judges[self.config.judge].base)
            inputs["judge"] = self.judge(self.config.judge, seed)
        name, data = answers.name.replace("answers.", "grades.", 1), self._benchmark_data(asked, seed)
        return self._artifact("grade_answers", name, slice_, **inputs, **data)

    def _benchmark_data(self, asked: dict[str, Benchmark], seed: int) -> dict[str, Artifact]:
        return {f"data:{name}": self.data(benchmark.data.split(".")[0], seed) for name, benchmark in asked.items()}

    # ------------------------------------------------------------------------------- analysis and report
    def _policies(self) -> dict[str, Artifact]:
        return {f"policy:{arm.name}": self.policy(arm) for arm in self.arms}

    def _arms(self) -> list[dict]:
        return [{"role": arm.name, **arm.settings} for arm in self.arms]

    def law(self) -> Artifact:
        offline = {name for name, one in self.config.algorithms.items() if one.rollout.responses == "start"}
        slice_ = {
            "arms": self._arms(),
            "early_share": self.config.early_share,
            "null_algorithms": sorted(offline & {arm.algorithm for arm in self.arms}),
        }
        return self._artifact("fit_entropy_law", "entropy_law", slice_, **self._policies())

    def comparison(self) -> Artifact:
        slice_ = {
            "arms": self._arms(),
            "baselines": self._baselines(),
            "claims": self.claims,
            **_plain(self.config, "control_subjects", "ood_subjects"),
        }
        inputs = self._policies() | self._grades() | self._answers() | self._audits()
        return self._artifact("compare_results", "comparison", slice_, **inputs)

    def _baselines(self) -> list[dict]:
        pairs = {(arm.policy, self._upstream_seed(arm.seed)) for arm in self.arms if self._benchmarks([arm])}
        return [{"role": f"{policy}.s{seed}", "name": policy, "seed": seed} for policy, seed in sorted(pairs)]

    def _grades(self) -> dict[str, Artifact]:
        trained = {f"grades:{arm.name}": self.grades(arm) for arm in self.arms if self._benchmarks([arm])}
        untrained = {
            f"grades:{base['role']}": self.grades(None, base["name"], base["seed"]) for base in self._baselines()
        }
        return trained | untrained

    def _answers(self) -> dict[str, Artifact]:
        """The answers behind the grades."""
        return {role.replace("grades:", "answers:", 1): a.inputs["answers"] for role, a in self._grades().items()}

    def _audits(self) -> dict[str, Artifact]:
        used = {
            (self.config.rewards[arm.reward].judge, self._upstream_seed(arm.seed))
            for arm in self.arms
            if self.config.rewards[arm.reward].kind == "judge"
        }
        return {f"audit:{judge}.s{seed}": self.audit(judge, seed) for judge, seed in sorted(used)}

    def _report(self) -> Artifact:
        slice_ = {
            "title": self.config.title,
            "studies": {name: study.title for name, study in self.config.studies.items()},
            "arms": self._arms(),
            "baselines": self._baselines(),
            **_plain(self.config, "control_subjects", "ood_subjects"),
            "claims": self.claims,
            "settings": _plain(
                self.config, "models", "algorithms", "entropy", "rewards", "validation", "benchmarks", "judges"
            ),
        }
        inputs = {"law": self.law(), "comparison": self.comparison()} | self._policies() | self._grades()
        inputs |= self._answers() | self._audits()
        for artifact in self.artifacts:  # the rest: counts of rows, run times, where numbers came from
            role = {"sample_data": "data", "prepare_model": "model", "explore_policy": "exploration"}.get(
                artifact.stage
            )
            role = role or {"label_rollouts": "labels", "distill_judge": "judge"}.get(artifact.stage)
            if role:
                inputs[f"{role}:{artifact.name}"] = artifact
        slice_["datasets"], slice_["published"] = self._origins_of_data(), self.published
        return self._artifact("render_report", "report", slice_, **inputs)

    def _origins_of_data(self) -> dict:
        """Source and licence of every data set that an artifact is made from."""
        used = sorted({artifact.config["dataset"] for artifact in self.artifacts if artifact.stage == "sample_data"})
        return {name: _plain(self.config.datasets[name], "source", "licence") for name in used}


def _plain(model, *names: str) -> dict:
    """A config model as plain JSON values, all fields or those named."""
    return model.model_dump(mode="json", include=set(names) or None)


def spec_text(artifact: Artifact) -> str:
    """The spec as the stage's command line carries it."""
    return canonical_json(artifact.spec)
