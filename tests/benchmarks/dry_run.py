"""Seconds of a dry run for nano and for grids of 10 to 1,000 arms, nothing made yet and all made.

    .venv/bin/python tests/benchmarks/dry_run.py [--arms 10 100 300 1000] [--repeats 3]

A grid is nano's setting under 3 rewards, 2 entropy controls and as many seeds as make up the arms, each seed with its
own data, models, exploration and judge: about five jobs an arm. All made: every manifest stands, empty, and Snakemake
has recorded every job (`--touch`). `snakemake --version` is what Snakemake costs before it reads anything; below the
dry run of a Snakefile of one rule no workflow can come. Each figure is the least of the repeats; where the machine is
shared, the CPU seconds tell more than the wall seconds.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import yaml

from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.maintain.graphs import load_graph

TARGET_MS = 2.5  # a job, above `snakemake --version`
SNAKEMAKE = (sys.executable, "-m", "snakemake")
# --touch rests a tenth of a second at each job
TOUCH = (
    "from snakemake.executors.touch import Executor; from snakemake.cli import main; Executor.SLEEPING_TIME = 0; main()"
)


def main() -> None:
    args = parse()
    start_up, start_up_cpu, _ = measure([*SNAKEMAKE, "--version"], Path.cwd(), args.repeats)
    print(f"snakemake --version: {start_up:.2f} s wall, {start_up_cpu:.2f} s CPU")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Snakefile").write_text('rule all:\n    output: "x"\n    shell: "touch {output}"\n')
        floor, floor_cpu, _ = measure([*SNAKEMAKE, "-n"], Path(folder), args.repeats)
    print(f"dry run of one rule: {floor:.2f} s wall, {floor_cpu:.2f} s CPU")
    print("config    arms  made   jobs   wall s    CPU s  CPU ms a job  target s  CPU s within target")
    for arms in (0, *args.arms):
        with tempfile.TemporaryDirectory() as folder:
            config = write_config(Path(folder), arms)
            report(arms, "none", config, start_up_cpu, args.repeats)
            make_all(config)
            report(arms, "all", config, start_up_cpu, args.repeats)


def report(arms: int, made: str, config: Path, start_up: float, repeats: int) -> None:
    jobs = len(load_graph(config).artifacts)
    wall, cpu, output = measure([*SNAKEMAKE, *options(config), "-n", "--quiet", "reason"], config.parent, repeats)
    planned = int(found[1]) if (found := re.search(r"^total +(\d+)$", output, re.MULTILINE)) else 0
    if planned != (jobs + 1 if made == "none" else 0):  # and `all`, which collects
        raise SystemExit(f"{arms} arms, made {made}: {planned} jobs planned of {jobs}:\n{output[-2000:]}")
    target = start_up + TARGET_MS / 1000 * (jobs + 1)
    name, per_job = ("grid" if arms else "nano"), 1000 * (cpu - start_up) / (jobs + 1)
    verdict = "yes" if cpu <= target else f"no, {cpu - target:.2f} s above"
    print(
        f"{name:8} {arms or '':>5}  {made:5} {jobs + 1:>4} {wall:>8.2f} {cpu:>8.2f} {per_job:>13.2f} {target:>9.2f}  "
        f"{verdict}",
        flush=True,
    )


def measure(command: list[str], folder: Path, repeats: int) -> tuple[float, float, str]:
    """Least wall seconds, least CPU seconds, and the output, of a command that must succeed."""
    walls, cpus = [], []
    for _ in range(repeats):
        began, before = time.perf_counter(), core_seconds()
        done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        walls.append(time.perf_counter() - began)
        cpus.append(core_seconds() - before)
        if done.returncode:
            raise SystemExit(done.stdout[-2000:])
    return min(walls), min(cpus), done.stdout


def core_seconds() -> float:
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


def make_all(config: Path) -> None:
    """An empty manifest for every artifact, and Snakemake's record of every job."""
    graph = load_graph(config)
    results = Path(graph.config.results)
    for path in [*(results / artifact.manifest for artifact in graph.artifacts), results / "report" / "index.html"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n")
    for folder in ("figures", "tables"):
        (results / "report" / folder).mkdir()
    measure([sys.executable, "-c", TOUCH, *options(config), "--touch", "--forceall", "--quiet"], config.parent, 1)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arms", type=int, nargs="+", default=[10, 100, 300, 1000])
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(ROOT)
    main()
