"""`make plan`: the jobs that would run, the reason of each as a difference of specs, and the hours they will take.

    python -m workflow_scripts.planning snakemake --configfile config/nano.yaml [TARGET] [--forcerun RULE] ...

Takes the command that would run and asks Snakemake itself, by a dry run, which jobs it has. What they are, why they
are new and what they cost is read from their specs and from the provenance of earlier artifacts, so that no second
opinion on what to run exists. What no earlier job tells of a GPU job, the cost model estimates (planning/cost/).
"""

import json
import sys
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

from workflow_scripts.artifacts.fingerprint import ROOT
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import load_config, statements
from workflow_scripts.planning.budget import budget_text
from workflow_scripts.planning.cost.model import CostModel
from workflow_scripts.planning.dry_run import DryRunError, Job, dry_run, home_of
from workflow_scripts.planning.estimate import Estimates
from workflow_scripts.planning.labels import Labels
from workflow_scripts.planning.outcomes import Outcomes
from workflow_scripts.planning.reasons import Reasons
from workflow_scripts.planning.records import Records
from workflow_scripts.planning.text import plan_text


def main(command: list[str]) -> int:
    """Print the plan of a snakemake command. Exit status 0, or that of a dry run that failed, with its words."""
    if not command:
        print("plan: which command? snakemake --configfile CONFIG ...", file=sys.stderr)
        return 2
    try:
        jobs, graph = _planned(command)
    except DryRunError as error:
        print(error, file=sys.stderr)
        return error.status
    if not jobs:
        print("Nothing to do.")
        return 0
    records = Records(jobs[0].work)
    labels = Labels([*records.names.values(), *((job.stage, job.name) for job in jobs)])
    model = CostModel(graph)
    estimates, outcomes = Estimates(records, model), Outcomes(jobs, records)
    print(plan_text(jobs, labels, Reasons(jobs, records, labels), outcomes, estimates))
    print(budget_text(jobs, graph, model, estimates, outcomes), end="")
    return 0


def _planned(command: list[str]) -> tuple[list[Job], Graph]:
    """The jobs of a command, and the graph of the config that Snakemake merged for it."""
    with TemporaryDirectory() as folder:
        merged = Path(folder) / "config.json"
        jobs = dry_run(command, merged)
        raw = json.loads(merged.read_text())
    with chdir(home_of(command)):
        return jobs, Graph(load_config(raw), ROOT, **statements())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
