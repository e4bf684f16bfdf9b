"""Calibration figures of the nano world, from a finished run: `python tests/benchmarks/calibrate_nano.py CONFIG`.

Nothing here is tuned towards a claim of the papers: base accuracy by difficulty, pass@64 against the plateau of the
baseline, recall of the rules on correct base answers, quality of teacher and judge, and what the starting entropy
consists of.
"""

import sys
from pathlib import Path
from random import Random

import numpy as np
import pyarrow.parquet as pq
import yaml

from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import load_config
from workflow_scripts.data.nano_world.entropy import model_entropy, process_entropy
from workflow_scripts.data.nano_world.questions import draw_problems
from workflow_scripts.data.nano_world.settings import read_settings
from workflow_scripts.evaluation.estimators import pass_at_k
from workflow_scripts.models.loading import load_model, load_tokenizer


def main(path: str) -> None:
    config = load_config(yaml.safe_load(Path(path).read_text()))
    graph = Graph(config, ROOT)
    for seed in sorted({arm.seed for arm in graph.arms}):
        print(f"\n=== seed {seed}")
        base = table(config, graph.grades(None, "base", seed), "world.parquet")
        base_accuracy(base)
        recalls(base)
        plateaus(config, graph, seed)
        agreement(config, graph, seed)
        starting_entropy(config, graph, seed)


def table(config, artifact, file: str):
    """A table of an artifact as a pandas frame."""
    return pq.read_table(Path(config.results) / artifact.manifest.rpartition("/")[0] / file).to_pandas()


def base_accuracy(grades) -> None:
    print("base pass@1 by level:", by(grades, "level"), " by subject:", by(grades, "subject"))
    cells = grades.groupby(["subject", "level"])["truth"].mean()
    print(f"base pass@1 by subject and level: least {cells.min():.3f}, most {cells.max():.3f}")
    counts = grades.groupby("question_id")["truth"].agg(["sum", "count"])
    k = int(counts["count"].min())
    found = np.mean([pass_at_k(int(n), int(c), k) for c, n in counts.to_numpy()])
    each = grades.groupby("question_id")["truth"].mean()
    low, high = (each < 0.05).mean(), (each > 0.6).mean()
    print(f"share of questions with base pass@1 under 5 %: {low:.3f}, over 60 %: {high:.3f}")
    print(f"base pass@1 {grades['truth'].mean():.3f}, pass@{k} {found:.3f}")


def recalls(grades) -> None:
    right = grades[grades["truth"]]
    for grader in ("rule", "contains", "teacher"):
        print(f"recall of {grader} on correct base answers:", by(right, "subject", grader))
    wrong = grades[~grades["truth"]]
    for grader in ("rule", "contains", "teacher"):
        print(f"false positives of {grader} on wrong base answers: {wrong[grader].mean():.4f}")


def plateaus(config, graph: Graph, seed: int) -> None:
    for arm in (arm for arm in graph.arms if arm.seed == seed):
        curve = table(config, graph.policy(arm), "validation.parquet")
        curve = curve[curve["subject"] == "all"].sort_values("step")
        quarters, entropy = (
            [part.mean() for part in np.array_split(curve[column].to_numpy(), 4)] for column in ("accuracy", "entropy")
        )
        test = table(config, graph.grades(arm), "world.parquet")
        print(
            f"{arm.reward:12} {arm.entropy:8} accuracy by quarter of the steps {rounded(quarters)}"
            f" entropy {rounded(entropy)} test by subject {by(test, 'subject')}"
        )


def agreement(config, graph: Graph, seed: int) -> None:
    for judge in config.judges:
        audit = table(config, graph.audit(judge, seed), "audit.parquet")
        rows = audit[(audit["subject"] == "all") & audit["metric"].isin(["balanced_accuracy", "kappa", "uncertain"])]
        for (who, versus), part in rows.groupby(["judge", "versus"]):
            print(f"{who:10} against {versus:9}", dict(zip(part["metric"], part["value"].round(3), strict=True)))


def starting_entropy(config, graph: Graph, seed: int, questions: int = 120) -> None:
    """Nats per response: of the process that made the demonstrations, and of the base policy on held-out ones."""
    settings = read_settings(config.datasets["demonstrations"].source.options)
    drawn = draw_problems(Random("starting entropy"), "held_out", None, settings.lesson_shares)
    parts = [process_entropy(problem, settings) for problem, _ in zip(drawn, range(questions), strict=False)]
    means = {name: round(float(np.mean([part[name] for part in parts])), 3) for name in parts[0]}
    print("entropy of the demonstrations, nats per response:", means, "in all", round(sum(means.values()), 3))
    folder = Path(config.results) / graph.model("base", seed).manifest.rpartition("/")[0] / "model"
    model, tokenizer = load_model(folder), load_tokenizer(folder)
    found = model_entropy(model, tokenizer, config.models["base"].template, settings)
    print("entropy of the base policy on held-out demonstrations:", {k: round(v, 3) for k, v in found.items()})


def by(frame, column: str, value: str = "truth") -> dict:
    return {name: round(float(mean), 3) for name, mean in frame.groupby(column)[value].mean().items()}


def rounded(values) -> list[float]:
    return [round(float(value), 3) for value in values]


if __name__ == "__main__":
    main(sys.argv[1])
