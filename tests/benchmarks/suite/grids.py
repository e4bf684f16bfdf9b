"""Configs of nano with so many arms, empty results that stand for finished ones, and what a command costs.

A grid is nano's setting under 3 rewards, 2 entropy controls and as many seeds as make up the arms, each seed with its
own data, models, exploration and judge: about five jobs an arm. All made: every manifest stands, empty, and Snakemake
has recorded every job (`--touch`).
"""

import os
import resource
import subprocess
import sys
from itertools import product
from pathlib import Path

import yaml

from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.maintain.graphs import load_graph

SNAKEMAKE = (sys.executable, "-m", "snakemake")
# --touch rests a tenth of a second at each job
TOUCH = (
    "from snakemake.executors.touch import Executor; from snakemake.cli import main; Executor.SLEEPING_TIME = 0; main()"
)


def cpu_seconds(command: list[str], folder: Path) -> tuple[float, str]:
    """CPU seconds of a command that must succeed, its children included, and its output.

    Parsing is one thread's work that waits for nothing: on an idle machine these are the seconds on the clock.
    """
    before = _core_seconds()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])}: {done.stdout.strip()[-300:]}")
    return _core_seconds() - before, done.stdout


def _core_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def write_config(folder: Path, arms: int) -> Path:
    """Nano as it is for 0 arms, else a study of so many; results stand beside the config."""
    config = {"extends": "nano", "results": str(folder / "results")}
    if arms:
        settings = list(product(["rule", "judge_soft", "judge_binary"], ["none", "clip_higher"]))
        whole, rest = divmod(arms, len(settings))
        study = {"title": "grid", "policies": ["base"], "data": ["questions.train"], "algorithms": ["grpo"]}
        full = study | {"rewards": ["rule", "judge_soft", "judge_binary"], "entropy": ["none", "clip_higher"]}
        config["studies"] = {"grid": full | {"seeds": list(range(whole))}} if whole else {}
        for reward, entropy in settings[:rest]:
            name = f"rest_{reward}_{entropy}"
            config["studies"][name] = study | {"rewards": [reward], "entropy": [entropy], "seeds": [whole]}
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def options(config: Path) -> list[str]:
    return ["--snakefile", str(ROOT / "Snakefile"), "--configfile", str(config), "--cores", "1"]


def count_jobs(config: Path) -> int:
    """Jobs of a config, `all` included, which collects."""
    return len(load_graph(config).artifacts) + 1


def make_all(config: Path) -> None:
    """An empty manifest for every artifact, and Snakemake's record of every job."""
    graph = load_graph(config)
    results = Path(graph.config.results)
    report = results / "report"
    for path in [*(results / one.manifest for one in graph.artifacts), report / "index.html", report / "headline.txt"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n")
    for folder in ("figures", "tables"):
        (report / folder).mkdir()
    cpu_seconds([sys.executable, "-c", TOUCH, *options(config), "--touch", "--forceall", "--quiet"], config.parent)


def write_plain(folder: Path, jobs: int) -> Path:
    """A Snakefile of one rule with so many jobs, `all` included: what Snakemake itself takes for as many."""
    path = folder / "Snakefile"
    path.write_text(
        f'rule all:\n    input: expand("{{n}}.txt", n=range({jobs - 1}))\n'
        'rule one:\n    output: "{n}.txt"\n    shell: "touch {output}"\n'
    )
    return path
