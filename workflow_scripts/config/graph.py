"""From the config to the graph of artifacts: one spec, key and path for every job, before Snakemake sees anything.

An artifact's spec is the slice of the config that its stage reads, the fingerprint of the code that computes it and
the keys of its upstream artifacts. A rule asks this graph for everything by the artifact's name in the path.
"""

from collections.abc import Iterable
from functools import cached_property
from itertools import product
from pathlib import Path

from workflow_scripts.config.arms import Arm, expand_arms
from workflow_scripts.config.artifact import Artifact, once, plain
from workflow_scripts.config.claims import claims_at
from workflow_scripts.config.models import Benchmark, Config
from workflow_scripts.config.upstream import Upstream


class Graph(Upstream):
    """All artifacts of a config, by stage and identity."""

    def __init__(self, config: Config, root: Path, claims: dict | None = None, published: dict | None = None) -> None:
        super().__init__(config, root)
        self.claims, self.published = claims_at(config.scale, claims or {}), published or {}
        self.arms = expand_arms(config)
        self.report = self._report()
        self._by_stage: dict[str, dict[str, Artifact]] = {}
        for artifact in self.artifacts:
            self._by_stage.setdefault(artifact.stage, {})[artifact.identity] = artifact

    def of_stage(self, stage: str) -> dict[str, Artifact]:
        """Artifacts of a stage by identity (name-key)."""
        return self._by_stage.get(stage, {})

    def of_study(self, study: str) -> list[Artifact]:
        """The graded answers of a study's arms and models, the policies of arms without benchmarks, and its audits."""
        settings, seeds = self.config.studies[study], self._seeds_of(study)
        found = [self.of_arm(arm)[0] for arm in self.arms if study in arm.studies]
        found += [self.grades(None, model, seed) for model in settings.models for seed in seeds]
        return found + [self.audit(judge, seed) for judge in settings.judges for seed in seeds]

    def of_arm(self, arm: Arm) -> list[Artifact]:
        """The graded answers of an arm and those of the policy that it starts from; without benchmarks its policy."""
        if not self._benchmarks(arm.studies):
            return [self.policy(arm)]
        return [self.grades(arm), self.grades(None, arm.policy, self._upstream_seed(arm.seed))]

    def _benchmarks(self, studies: Iterable[str]) -> dict[str, Benchmark]:
        """The union of the benchmarks that these studies ask for."""
        wanted = {name for study in studies for name in self._all_or(self.config.studies[study].benchmarks)}
        return {name: benchmark for name, benchmark in self.config.benchmarks.items() if name in wanted}

    def _asked(self, arm: Arm | None, model: str, seed: int) -> dict[str, Benchmark]:
        """What an arm is evaluated on, or a model as it is: what all studies ask for that it belongs to."""
        return self._benchmarks(arm.studies if arm else self._models[model, seed])

    @cached_property
    def _models(self) -> dict[tuple[str, int], dict[str, bool]]:
        """(model, seed) -> its studies: those with arms that start from it, and those that name it (True)."""
        found: dict[tuple[str, int], dict[str, bool]] = {}
        for arm in self.arms:
            found.setdefault((arm.policy, self._upstream_seed(arm.seed)), {}).update(dict.fromkeys(arm.studies, False))
        for study, settings in self.config.studies.items():
            for model, seed in product(settings.models, self._seeds_of(study)):
                found.setdefault((model, seed), {})[study] = True
        return found

    def _seeds_of(self, study: str) -> list[int]:
        """Seeds of what a study does not train; the config's where it has no arms."""
        seeds = self.config.studies[study].every("seeds") or [self.config.seed]
        return sorted(set(map(self._upstream_seed, seeds)))

    def _all_or(self, benchmarks: list[str] | None) -> list[str]:
        return list(self.config.benchmarks) if benchmarks is None else benchmarks

    # ---------------------------------------------------------------------------------- arms and grades
    @once
    def policy(self, arm: Arm) -> Artifact:
        dataset, split = arm.data.split(".")
        slice_ = {
            "split": split,
            "seed": arm.seed,
            "template": self._template(arm.policy),
            **self._training(arm.policy, arm.algorithm, arm.entropy),
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

    def _validation(self) -> dict:
        return plain(self.config.validation, "every", "questions", "samples") | {
            "split": self.config.validation.data.split(".")[1],
            "grading": self._grading(self.config.validation.data.split(".")[0]),
        }

    def _reward(self, name: str) -> dict:
        model, slice_ = self.config.rewarding_model(name), plain(self.config.rewards[name])
        named = {"teacher", "judge"}  # inputs of the artifact, whose keys say more than names
        settings = {setting: value for setting, value in slice_.items() if setting not in named}
        return settings | (self._judging(model) if model else {})

    def _reward_models(self, arm: Arm) -> dict[str, Artifact]:
        reward = self.config.rewards[arm.reward]
        if reward.kind == "judge":
            return {"judge": self.judge(reward.judge, arm.seed), "audit": self.audit(reward.judge, arm.seed)}
        return {"teacher": self.model(reward.teacher, arm.seed)} if reward.kind == "teacher" else {}

    @once
    def answers(self, arm: Arm | None, policy: str = "", seed: int = 0) -> Artifact:
        """Sampled answers of an arm, or of a model as it is."""
        name, seed = (arm.name, arm.seed) if arm else (f"{policy}.s{self._upstream_seed(seed)}", seed)
        model = self.policy(arm) if arm else self.model(policy, seed)
        asked = self._asked(arm, policy, seed)
        benchmarks = {
            benchmark: plain(settings, "samples", "temperature", "max_tokens") | {"split": settings.data.split(".")[1]}
            for benchmark, settings in asked.items()
        }
        how = plain(self.config.models[arm.policy if arm else policy], "template", "sampling")
        slice_ = {"seed": seed, "benchmarks": benchmarks, **how}
        data = self._benchmark_data(asked, seed)
        return self._artifact("sample_answers", f"answers.{name}", slice_, policy=model, **data)

    @once
    def grades(self, arm: Arm | None, policy: str = "", seed: int = 0) -> Artifact:
        answers, seed = self.answers(arm, policy, seed), arm.seed if arm else seed
        asked = self._asked(arm, policy, seed)
        graders = sorted({grader for settings in asked.values() for grader in settings.graders})
        slice_ = {"seed": seed, "graders": graders, "benchmarks": {}}
        for benchmark, settings in asked.items():
            dataset, split = settings.data.split(".")
            own = {"split": split, "graders": sorted(settings.graders), "grading": self._grading(dataset)}
            votes = plain(settings, "votes", "vote_temperature") if "teacher" in settings.graders else {}
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
            **plain(self.config, "control_subjects", "ood_subjects"),
        }
        inputs = self._policies() | self._grades() | self._answers() | self._audits()
        return self._artifact("compare_results", "comparison", slice_, **inputs)

    def _baselines(self) -> list[dict]:
        """The models that are evaluated as they are, with the studies that name them."""
        return [
            {"role": f"{name}.s{seed}", "name": name, "seed": seed, "studies": [s for s, named in of.items() if named]}
            for (name, seed), of in sorted(self._models.items())
            if self._benchmarks(of)
        ]

    def _grades(self) -> dict[str, Artifact]:
        trained = {f"grades:{arm.name}": self.grades(arm) for arm in self.arms if self._benchmarks(arm.studies)}
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
        for study, settings in self.config.studies.items():
            used |= set(product(settings.judges, self._seeds_of(study)))
        return {f"audit:{judge}.s{seed}": self.audit(judge, seed) for judge, seed in sorted(used)}

    def _report(self) -> Artifact:
        slice_ = {
            "title": self.config.title,
            "studies": {name: study.title for name, study in self.config.studies.items()},
            "arms": self._arms(),
            "baselines": self._baselines(),
            **plain(self.config, "control_subjects", "ood_subjects"),
            "claims": self.claims,
            "settings": plain(
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
        return {name: plain(self.config.datasets[name], "source", "licence") for name in used}
