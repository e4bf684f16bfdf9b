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

    # ------------------------------------------------------------------------------------- running
    def snakemake(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        return self.python("snakemake", "--configfile", str(self.config), *arguments, **options)

    def python(self, module: str, *arguments: str, **options) -> subprocess.CompletedProcess:
        """`python -m MODULE` in the project; PYTHONPATH lets the copy win over the installed package."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"},
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

    def outcomes(self, *arguments: str) -> Counter:
        """Run, and count the jobs as (stage, computed or restored)."""
        logs = self.root / "results" / "logs"
        before = {path: path.stat().st_mtime_ns for path in logs.rglob("*.log")}
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout[-3000:]
        found = Counter()
        for path in logs.rglob("*.log"):
            if before.get(path) != path.stat().st_mtime_ns:
                stage, outcome = re.findall(r"^(\w+): (restored|computed) ", path.read_text(), re.MULTILINE)[-1]
                found[stage, outcome] += 1
        return found

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
        return sorted(path.parent for path in (self.root / "results" / folder).glob("*/manifest.json"))
