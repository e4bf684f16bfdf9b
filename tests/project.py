"""A copy of the project in which a test may change code, config and results, and run snakemake as a user does."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
CODE = ("Snakefile", "rules", "workflow_scripts", "config", "envs", "tests/configs", "Makefile", "pyproject.toml")


class Project:
    """One project folder; `plan` says what would run, `run` runs it."""

    def __init__(self, root: Path, config: str = "tests/configs/micro.yaml", source: Path = ROOT):
        self.root, self.config, self.source = root, root / config, source
        self.results, self.variables = root / "results", {}
        self.front: list[str] = []  # what every command begins with

    @classmethod
    def copy(cls, source: Path, target: Path) -> "Project":
        for name in CODE:
            origin, copy = source / name, target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if origin.is_dir():
                shutil.copytree(origin, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(origin, copy)
        return cls(target)

    def move(self, root: Path) -> None:
        """The project is now found at `root`, its results too."""
        self.config, self.results = root / self.config.relative_to(self.root), root / "results"
        self.root = root

    # ------------------------------------------------------------------------------------- running
    def snakemake(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        return self.python("snakemake", "--configfile", str(self.config), *arguments, **options)

    @property
    def environment(self) -> dict[str, str]:
        """PYTHONPATH lets the copy win over the installed package."""
        path = os.pathsep.join(filter(None, (str(self.root), os.environ.get("PYTHONPATH"))))
        return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **self.variables}

    def python(self, module: str, *arguments: str, **options) -> subprocess.CompletedProcess:
        """`python -m MODULE` in the project."""
        return subprocess.run(
            [*self.front, sys.executable, "-m", module, *arguments],
            cwd=self.root,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **options,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.snakemake("--quiet", "reason", "--cores", "2", *arguments)

    def plan(self, *arguments: str) -> Counter:
        """Planned jobs by rule, collectors left out."""
        done = self.snakemake("--quiet", "reason", "-n", *arguments)
        assert done.returncode == 0, done.stdout[-3000:]
        if "Nothing to be done" in done.stdout:
            return Counter()
        table = done.stdout.partition("Job stats:")[2]
        jobs = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}
        return Counter({name: count for name, count in jobs.items() if name not in ("total", "all")})

    def planned(self, *arguments: str) -> set[tuple[str, str]]:
        """(stage, name) of the planned jobs."""
        done = self.snakemake("-n", "--printshellcmds", *arguments)
        assert done.returncode == 0, done.stdout[-3000:]
        return {_job(Path(log)) for log in re.findall(r"--log-file ([^\s)]+)", done.stdout)}

    def jobs(self, *arguments: str, fails: bool = False) -> dict[tuple[str, str], str]:
        """Run; (stage, name) -> computed, restored or error of every job that ran. `fails`: whether the run must."""
        logs = self.results / "logs"
        before = {path: path.stat().st_mtime_ns for path in logs.rglob("*.log")}
        done = self.run(*arguments)
        assert done.returncode == int(fails), done.stdout[-3000:]
        ran = [path for path in logs.rglob("*.log") if before.get(path) != path.stat().st_mtime_ns]
        return dict(_outcome(path) for path in ran)

    def outcomes(self, *arguments: str) -> Counter:
        """Run, and count the jobs as (stage, computed or restored)."""
        return Counter((stage, outcome) for (stage, _), outcome in self.jobs(*arguments).items())

    def maintain(self, verb: str, *arguments: str, **options) -> subprocess.CompletedProcess:
        """A verb that looks after the results folder."""
        return self.python("workflow_scripts.maintain", verb, "--config", str(self.config), *arguments, **options)

    def manifests(self) -> dict[str, bytes]:
        """All manifests below the results root, published and in work directories, by path."""
        root = self.root / "results"
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("manifest*.json")}

    # ------------------------------------------------------------------------------------- changing
    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text that must be there."""
        path = self.root / file
        text = path.read_text()
        assert old in text, f"{file} does not hold {old!r}"
        path.write_text(text.replace(old, new))

    def settings(self) -> dict:
        return yaml.safe_load(self.config.read_text())

    def set(self, dotted: str, value) -> None:
        """Set one setting of the config."""
        config = self.settings()
        *parents, last = dotted.split(".")
        node = config
        for part in parents:
            node = node[part]
        node[last] = value
        self.config.write_text(yaml.safe_dump(config, sort_keys=False))

    def artifacts(self, folder: str) -> list[Path]:
        """Published artifact folders of a kind."""
        return sorted(path.parent for path in (self.results / folder).glob("*/manifest.json"))


def _outcome(log: Path) -> tuple[tuple[str, str], str]:
    """The job that wrote a log, and how it ended."""
    stage, name = _job(log)
    ends = re.findall(rf"^{stage}: (?:(computed|restored) \S+-[0-9a-f]{{10}}( |$)|.+)", log.read_text(), re.MULTILINE)
    return (stage, name), (ends[-1][0] if ends else "") or "error"


def _job(log: Path) -> tuple[str, str]:
    """(stage, name) of `logs/STAGE/NAME-KEY.log`, and of `logs/STAGE.log`, whose artifact is the only one."""
    if log.parent.name == "logs":
        return log.stem, log.stem
    return log.parent.name, re.sub(r"-[0-9a-f]{10}$", "", log.stem)
