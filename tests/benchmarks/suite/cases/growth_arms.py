"""How the work of the nano DAG grows with arms, by the plan's own figures: the same config with 2, 4, 8 and 16 arms.

`make plan` estimates a job from what earlier ones of its stage cost (planning/estimate.py). Here it does so for the
whole DAG of config/nano.yaml, nothing of which is taken as there, with more entropy settings, then with more seeds;
the earlier jobs are those of the finished run in `results/`. These are estimates and nothing was run, so the columns
of measured values stay empty and the figures stand in the notes: core-seconds of all jobs. Arms of one seed share
models, exploration, labels and judge; every seed has its own.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.benchmarks.suite.measure import Row
from tests.project import ROOT

GROUP = "growth with arms, by the plan"
STUDY, RECORDS = "reward_by_entropy", ROOT / "results" / "work"
GRIDS = {  # arms -> what config/nano.yaml gets in place of its 2 rewards x 2 settings of one seed
    2: {"entropy": ["none"], "seeds": [0]},
    4: {"entropy": ["none", "kl_cov"], "seeds": [0]},
    8: {"entropy": ["none", "clip_higher", "clip_cov", "kl_cov"], "seeds": [0]},
    16: {"entropy": ["none", "clip_higher", "clip_cov", "kl_cov"], "seeds": [0, 1]},
}


def rows(quick: bool) -> Iterator[Row]:
    before = None
    for arms in list(GRIDS)[: 2 if quick else None]:
        seconds = _core_seconds(arms)
        if before:
            yield _row(*before, arms, seconds)
        before = arms, seconds


def _row(once: int, seconds: float | None, twice: int, more: float | None) -> Row:
    if seconds and more:
        note = f"not measured; the plan estimates {seconds:.0f} and {more:.0f} core-seconds: {more / seconds:.2f} x"
    else:
        note = "not measured, not estimated: the plan needs a finished nano run in results/ (make run)"
    return Row(GROUP, f"nano, {once} to {twice} arms", f"{once} arms", f"{twice} arms", "s", [], [], "cpu", note=note)


def _core_seconds(arms: int) -> float | None:
    """Of all jobs of the DAG; None where the cost of one of them is not known."""
    from workflow_scripts.planning.dry_run import dry_run
    from workflow_scripts.planning.estimate import Estimates
    from workflow_scripts.planning.records import Records

    with tempfile.TemporaryDirectory() as folder:
        config = yaml.safe_load((ROOT / "config" / "nano.yaml").read_text())
        config["studies"][STUDY] |= GRIDS[arms]
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        command = [str(Path(sys.executable).parent / "snakemake"), "--snakefile", str(ROOT / "Snakefile")]
        jobs = dry_run([*command, "--configfile", str(path), "--directory", folder, "--cores", "1"])
    estimates = Estimates(Records(RECORDS))
    costs = [estimates.of(job) for job in jobs]
    return sum(cost.core for cost in costs) if all(costs) else None
