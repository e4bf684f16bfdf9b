"""Schema-valid upstream artifacts made from known curves and accuracies, for tests of the analysis stages alone."""

from math import exp, nan
from pathlib import Path

import numpy as np

from workflow_scripts.artifacts import Stage
from workflow_scripts.artifacts.keys import digest
from workflow_scripts.artifacts.schemas import (
    ANSWERS,
    AUDIT,
    GATE,
    GRADES,
    METRICS,
    PROBES,
    QUESTIONS,
    RELIABILITY,
    VALIDATION,
    VOTES,
    WORDING,
)
from workflow_scripts.artifacts.tables import write_table
from workflow_scripts.artifacts.workdir import WorkDir

SUBJECTS = ("arithmetic", "calendar", "strings", "clock")
ENTROPY_FACTOR = {"none": 1.0, "kl_cov": 2.0}  # of the entropy at equal accuracy
RULE_LOSS = {"arithmetic": 0.0, "calendar": 0.25, "strings": 0.2, "clock": 0.25}  # accuracy lost under the rule
HOSTILE = "<script>alert(1)</script>\x00\x1b[31m <img src=x onerror=alert(2)>\n=1+1"
STEPS, EVERY, PER_SUBJECT, SAMPLES = 80, 4, 40, 4


class World:
    """Artifacts below a folder, and the stages that run on them."""

    def __init__(self, root: Path, seeds: tuple[int, ...] = (0, 1, 2), ood: bool = False):
        self.root, self.inputs = root, {}
        self.arms = [
            self._arm("questions.train", reward, entropy, seed, "reward_by_entropy")
            for reward in ("rule", "judge_soft")
            for entropy in ENTROPY_FACTOR
            for seed in seeds
        ]
        if ood:
            self.arms += [
                self._arm("questions.ood_train", reward, "none", seed, "reward_ood")
                for reward in ("rule", "judge_soft")
                for seed in seeds
            ]
        self.baselines = [{"role": f"base.s{seed}", "name": "base", "seed": seed} for seed in seeds]
        for seed in seeds:
            self.publish(f"data:questions.s{seed}", "data", {"test.parquet": (questions(seed), QUESTIONS)}, kept=160)
            self.publish(f"audit:judge.s{seed}", "judges", audit(seed))
            self._evaluate(f"base.s{seed}", seed, dict.fromkeys(SUBJECTS, 0.3))
        for arm in self.arms:
            self._train(arm)

    @staticmethod
    def _arm(data: str, reward: str, entropy: str, seed: int, study: str) -> dict:
        role = f"base.{data.replace('.', '_')}.grpo.{reward}.{entropy}.s{seed}"
        names = {"policy": "base", "data": data, "algorithm": "grpo", "reward": reward, "entropy": entropy}
        return {"role": role, "name": f"grpo · {reward} · {entropy}", **names, "seed": seed, "studies": [study]}

    def publish(self, role: str, folder: str, tables: dict, **counts: int) -> None:
        """An artifact with a manifest and provenance, made by the real work directory."""
        name = role.partition(":")[2] or role
        work = WorkDir(self.root / "work", folder, f"{name}-{digest(role)[:10]}")
        work.start()
        for file, (columns, schema) in tables.items():
            write_table(work.staging / file, columns, schema)
        record = {"stage": folder, "name": name, "key": digest(role)[:10], "seconds": 3.5, "core_seconds": 3.25}
        work.finish(counts, record | {"started": "2025-01-01T00:00:00+00:00", "peak_bytes": 2**28})
        self.inputs[role] = self.root / "results" / folder / work.path.name / "manifest.json"
        work.publish(self.inputs[role])

    def _train(self, arm: dict) -> None:
        rng = np.random.default_rng(int(digest(arm["role"])[:8], 16))
        top = 0.85 if arm["reward"] == "judge_soft" else 0.65
        tables = {"metrics.parquet": (metrics(arm, rng), METRICS)}
        tables["validation.parquet"] = (validation(arm, top, rng), VALIDATION)
        self.publish(f"policy:{arm['role']}", "policies", tables, questions=64)
        loss = RULE_LOSS if arm["reward"] == "rule" else dict.fromkeys(SUBJECTS, 0.0)
        self._evaluate(arm["role"], arm["seed"], {name: 0.85 - loss[name] for name in SUBJECTS})

    def _evaluate(self, role: str, seed: int, chance: dict[str, float]) -> None:
        rng = np.random.default_rng(int(digest(role)[:8], 16))
        answers, grades = graded(questions(seed), chance, rng)
        self.publish(f"answers:{role}", "evaluations", {"world.parquet": (answers, ANSWERS)})
        self.publish(f"grades:{role}", "evaluations", {"world.parquet": (grades, GRADES)})

    def stage(self, name: str, config: dict, roles: tuple[str, ...]) -> Stage:
        """A stage with the inputs whose role begins with one of `roles`, in an empty staging folder."""
        work = WorkDir(self.root / "work", name, f"{name}-test")
        work.start()
        chosen = {role: path for role, path in self.inputs.items() if role.startswith(roles)}
        return Stage(config, chosen, work)

    def keep(self, stage: Stage, role: str) -> None:
        """Publish what a stage wrote at a stable path, as an input of the next one."""
        stage._work.finish(stage.accounting, {"stage": role, "name": role, "key": "0" * 10, "seconds": 1.0})
        self.inputs[role] = self.root / "results" / "tables" / role / f"manifest-{'0' * 10}.json"
        stage._work.publish(self.inputs[role])


def questions(seed: int) -> dict:
    ids = [f"{subject}-{seed}-{n:03d}" for subject in SUBJECTS for n in range(PER_SUBJECT)]
    subjects = [subject for subject in SUBJECTS for _ in range(PER_SUBJECT)]
    prompts = [f"What is {name} <b>?</b>" for name in ids]
    return {"question_id": ids, "subject": subjects, "prompt": prompts, "reference": ["twenty-one & more"] * len(ids)}


def accuracy_at(step: float, top: float) -> float:
    return 0.3 + (top - 0.3) * (1 - exp(-step / 15))


def entropy_at(step: float, top: float, factor: float) -> float:
    return 0.6 * exp(-2.5 * (accuracy_at(step, top) - 0.3) / 0.5) * (factor if step else 1.0)


def validation(arm: dict, top: float, rng: np.random.Generator) -> dict:
    columns: dict[str, list] = {name: [] for name in VALIDATION.names}
    for step in range(0, STEPS + 1, EVERY):
        accuracy = accuracy_at(step, top) + rng.normal(0, 0.004) * (step > 0)
        entropy = entropy_at(step, top, ENTROPY_FACTOR[arm["entropy"]]) * exp(rng.normal(0, 0.02))
        for subject in ("all", *SUBJECTS):
            row = (step, subject, accuracy, accuracy - 0.1, entropy, entropy, 12 + step / 10, 128)
            for name, value in zip(VALIDATION.names, row, strict=True):
                columns[name].append(value)
    return columns


def metrics(arm: dict, rng: np.random.Generator) -> dict:
    top = 0.85 if arm["reward"] == "judge_soft" else 0.65
    steps = np.arange(1, STEPS + 1)
    integers = {"step", "groups", "groups_kept", "selected", "selected_positive"}
    columns = {name: np.zeros(STEPS, dtype=np.int64 if name in integers else float).tolist() for name in METRICS.names}
    entropy = [entropy_at(s, top, ENTROPY_FACTOR[arm["entropy"]]) * exp(rng.normal(0, 0.05)) for s in steps]
    right = [min(1.0, max(0.0, accuracy_at(s, top) + rng.normal(0, 0.03))) for s in steps]
    columns |= {
        "step": steps.tolist(),
        "entropy": entropy,
        "truth": right,
        "verdict": right,
        "skipped": [False] * STEPS,
        "warning": ["length,divergence" if arm["reward"] == "rule" and s > 70 else "" for s in steps],
    }
    columns["entropy"][9] = None  # a step whose groups were all filtered
    return columns


def graded(asked: dict, chance: dict[str, float], rng: np.random.Generator) -> tuple[dict, dict]:
    answers: dict[str, list] = {name: [] for name in ANSWERS.names}
    grades: dict[str, list] = {name: [] for name in GRADES.names}
    for question, subject in zip(asked["question_id"], asked["subject"], strict=True):
        for sample in range(SAMPLES):
            right = bool(rng.random() < chance[subject])
            rule = right and (subject == "arithmetic" or bool(rng.random() < 0.5))
            teacher = right if rng.random() < 0.97 else not right
            head = ("world", question, subject, 1, sample)
            for name, value in zip(ANSWERS.names, (*head, HOSTILE, "=1+1", 12, False, False), strict=True):
                answers[name].append(value)
            verdict = "equal" if rule else "different"
            row = (*head, right, rule, verdict, rule or (not right and sample == 3))
            row += (teacher, 0.9 if teacher else 0.1) * 2  # the judge says what the teacher says
            for name, value in zip(GRADES.names, row, strict=True):
                grades[name].append(value)
    return answers, grades


def audit(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    level = {"teacher": 0.95, "base": 0.6, "distilled": 0.92, "constant": 0.5, "string": 0.62, "rule": 0.74}
    rows, bins, probes = [], [], []
    for judge, good in level.items():
        for versus in ("teacher", "truth"):
            for subject in ("all", *SUBJECTS) if judge != versus else ():
                for metric, value in {"balanced_accuracy": good, "kappa": 2 * good - 1, "recall": good}.items():
                    rows.append((judge, versus, subject, metric, value + rng.normal(0, 0.01), 1000))
        if judge in ("teacher", "base", "distilled"):
            edges = np.arange(10) / 10
            bins += [
                (judge, "truth", e, e + 0.1, e + 0.05, min(1, max(0, e + rng.normal(0, 0.05))), 100) for e in edges
            ]
            probes += [
                (judge, probe, s, 0.01, 0.02, 50) for probe in ("", " ", ".", "Solution", "解") for s in ("all",)
            ]
    votes = [(m, v, "all", 0.9 + m / 100, 0.8, 1000) for m in range(1, 11) for v in ("truth", "second", "teacher")]
    wording = [(j, "length", "a sentence before", 0.1, 0.2, nan, 40, 3) for j in ("teacher", "base", "distilled")]
    gate = [("kappa", 0.84, "at least", 0.6, True, 1000), ("ece", 0.2, "at most", 0.1, False, 1000)]
    tables = {
        "audit": (rows, AUDIT),
        "votes": (votes, VOTES),
        "reliability": (bins, RELIABILITY),
        "probes": (probes, PROBES),
        "wording": (wording, WORDING),
        "gate": (gate, GATE),
    }
    columns = {
        name: (dict(zip(schema.names, zip(*r, strict=True), strict=True)), schema)
        for name, (r, schema) in tables.items()
    }
    return {f"{name}.parquet": table for name, table in columns.items()}


def run_all(world: World, claims: list[dict], published: dict | None = None) -> Stage:
    """law -> comparison -> report on a world; returns the report's stage, its files in `out`."""
    from workflow_scripts.stages import compare_results, fit_entropy_law, render_report

    common = {"arms": world.arms, "baselines": world.baselines}
    groups = {"control_subjects": ["arithmetic"], "ood_subjects": ["clock"]}
    law = world.stage("fit_entropy_law", {"arms": world.arms, "early_share": 0.15}, ("policy:",))
    fit_entropy_law.build(law)
    world.keep(law, "law")
    config = {**common, **groups, "benchmarks": ["world"], "claims": {"claims": claims}}
    comparison = world.stage("compare_results", config, ("policy:", "grades:", "answers:", "audit:", "law"))
    compare_results.build(comparison)
    world.keep(comparison, "comparison")
    settings = {"benchmarks": {"world": {"data": "questions.test"}}}
    config = {**common, **groups, "title": "Synthetic world", "studies": {"reward_by_entropy": "Reward by entropy"}}
    config |= {"settings": settings, "benchmarks": ["world"], "claims": {"claims": claims}, "published": published}
    report = world.stage("render_report", config, tuple(world.inputs))
    render_report.build(report)
    return report
