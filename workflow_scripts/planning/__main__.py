"""`make plan`: the jobs that would run, the reason of each as a difference of specs, and the hours they will take.

    python -m workflow_scripts.planning snakemake --configfile config/nano.yaml [TARGET] [--forcerun RULE] ...

Takes the command that would run and asks Snakemake itself, by a dry run, which jobs it has. What they are, why they
are new and what they cost is read from their specs and from the provenance of earlier artifacts, so that no second
opinion on what to run exists.
"""

import sys

from workflow_scripts.planning.dry_run import DryRunError, dry_run
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
        jobs = dry_run(command)
    except DryRunError as error:
        print(error, file=sys.stderr)
        return error.status
    if not jobs:
        print("Nothing to do.")
        return 0
    records = Records(jobs[0].work)
    labels = Labels([*records.names.values(), *((job.stage, job.name) for job in jobs)])
    reasons = Reasons(jobs, records, labels)
    print(plan_text(jobs, labels, reasons, Outcomes(jobs, records), Estimates(records)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
