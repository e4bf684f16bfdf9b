"""Dry run, plan and rerun with nothing to do, for nano and for grids of 10, 100 and 1,000 arms, in CPU seconds.

Fairness. A dry run of all jobs, and one where all is made, are held against a budget: what `snakemake --version` took
just before, and 2.5 ms a job (above 1: within the budget). Below the dry run of a Snakefile of one job no workflow can
come, and that takes a tenth of a second more than the version: where there are few jobs the budget is out of reach.
`plain` is that of a Snakefile of one rule with as many jobs, without inputs, parameters, logs or resources: what is
above it is what ours asks of Snakemake beside, and the config, the keys and the checks. The plan is held against the
dry run that it asks for, and `make run` with nothing to do against ten seconds: the two commands behind it, without
make, over empty results. The note counts the jobs. Nothing is kept from another process but the digests of syntax
trees below .snakemake/, which the first one leaves there and the warm-up has made.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.suite.grids import (
    SNAKEMAKE,
    count_jobs,
    cpu_seconds,
    make_all,
    options,
    write_config,
    write_plain,
)
from tests.benchmarks.suite.measure import Row, alternate

BUDGET_MS, RUN_SECONDS = 2.5, 10.0
GROUP, LIMIT = "DAG", "Snakemake's own work for each job"
DRY = ["--dry-run", "--quiet", "reason"]


def rows(quick: bool) -> Iterator[Row]:
    for arms in (0, 10) if quick else (0, 10, 100, 1000):
        with tempfile.TemporaryDirectory() as folder:
            yield from Grid(Path(folder), arms, repetitions=2 if quick or arms == 1000 else 4).rows()


class Grid:
    def __init__(self, folder: Path, arms: int, repetitions: int) -> None:
        self.folder, self.repetitions = folder, repetitions
        self.config = write_config(folder, arms)
        self.jobs, self.name = count_jobs(self.config), f"{arms:,} arms" if arms else "nano"
        (folder / "plain").mkdir()
        self.plain = write_plain(folder / "plain", self.jobs)

    def rows(self) -> Iterator[Row]:
        yield self.row("dry run, nothing made", "its budget", self.dry_run, self.budget, target=1.0)
        yield self.row("dry run, nothing made", "plain", self.dry_run, self.dry_run_of_plain)
        yield self.row("plan", "its dry run", self.plan, self.dry_run)
        make_all(self.config)
        yield self.row("dry run, all made", "its budget", self.dry_run, self.budget, target=1.0)
        yield self.row("run with nothing to do", f"{RUN_SECONDS:g} s", self.run, lambda: RUN_SECONDS, target=1.0)

    def row(self, case: str, other: str, ours, theirs, target: float | None = None) -> Row:
        values = alternate(ours, theirs, self.repetitions)
        note = f"{self.jobs:,} jobs; CPU seconds"
        return Row(GROUP, f"{case}, {self.name}", "ours", other, "s", *values, "cpu", None, LIMIT, note, target)

    def dry_run(self) -> float:
        return self._ours(*SNAKEMAKE, *options(self.config), *DRY)

    def budget(self) -> float:
        return self._ours(*SNAKEMAKE, "--version") + BUDGET_MS / 1000 * self.jobs

    def dry_run_of_plain(self) -> float:
        return self._ours(*SNAKEMAKE, "--snakefile", str(self.plain), "--cores", "1", *DRY)

    def plan(self) -> float:
        return self._ours(sys.executable, "-m", "workflow_scripts.planning", *SNAKEMAKE, *options(self.config))

    def run(self) -> float:
        headline = [sys.executable, "-m", "workflow_scripts.maintain", "headline", "--config", str(self.config)]
        return self._ours(*SNAKEMAKE, *options(self.config), "--quiet", "reason", "host") + self._ours(*headline)

    def _ours(self, *command: str) -> float:
        return cpu_seconds(list(command), self.folder)[0]
