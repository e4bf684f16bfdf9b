"""The jobs of a snakemake command, as its own dry run prints them.

The shell line of a job holds all that identifies it: stage, spec, output and inputs. `Job stats` says how many jobs
there are; a line that is not understood is an error, never a job less.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from workflow_scripts.artifacts.keys import KEY_DIGITS, identity_of, name_of
from workflow_scripts.planning.merged import VARIABLE

FLAGS = ("--dry-run", "--printshellcmds", "--quiet", "host")  # the last --quiet wins: reasons are not hidden
SHELL = re.compile(
    r"\bworkflow_scripts\.stages\.(?P<stage>\w+) (?:@<\(printf '%s\\n' )?--spec (?P<spec>'.*') --output (?P<output>.+?)"
    r" --work (?P<work>.+?)"
    r" --environment (?P<environment>\S+)(?P<rest>.*)"
)
REASON = re.compile(r"^ *reason: (.*)", re.IGNORECASE)


class DryRunError(Exception):
    """The dry run failed, or is not understood; `status` is the exit status."""

    def __init__(self, message: str, status: int = 1):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Job:
    """One job of a stage: what it makes, from what, and Snakemake's reason."""

    stage: str
    spec: dict
    output: Path
    work: Path
    environment: str
    inputs: dict[str, Path]
    reason: str

    @cached_property
    def identity(self) -> str:
        return identity_of(self.output)

    @property
    def name(self) -> str:
        return name_of(self.identity)

    @property
    def key(self) -> str:
        return self.identity[-KEY_DIGITS:]

    @property
    def done(self) -> Path:
        """Where the manifest of the finished artifact stands once the job has run."""
        return self.work / self.stage / self.identity / "done" / "manifest.json"


def dry_run(command: list[str], merged: Path | None = None) -> list[Job]:
    """The stage jobs that a snakemake command would run. Raises DryRunError with Snakemake's output if it fails.

    The Snakefile writes the config, as Snakemake merges it, to `merged` (JSON).
    """
    end = command.index("--") if "--" in command else len(command)  # nothing behind it is an option
    asked = [*command[:end], *FLAGS, *command[end:]]
    environment = os.environ | ({VARIABLE: str(merged)} if merged else {})
    done = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    if done.returncode:
        raise DryRunError(done.stdout.strip(), done.returncode)
    jobs, counts = list(parse(done.stdout, home_of(command))), _counts(done.stdout)
    found = Counter(job.stage for job in jobs)
    if wrong := {stage for stage in found | counts if found[stage] != counts[stage]}:
        raise DryRunError(f"plan: the dry run lists other jobs than it counts: {', '.join(sorted(wrong))}")
    return jobs


def home_of(command: list[str]) -> Path:
    """The folder to which the paths of the jobs are relative."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--directory", "-d", type=Path, default=Path())
    return parser.parse_known_args(command)[0].directory


def parse(output: str, home: Path) -> Iterator[Job]:
    """The jobs in a dry run's output; their paths are relative to `home`."""
    reason = ""
    for line in output.splitlines():
        if match := REASON.match(line):
            reason = match[1]
        elif match := SHELL.search(line):
            words = shlex.split(match["rest"].rstrip(")"))
            inputs = [after.partition("=") for word, after in pairwise(words) if word == "--input"]
            yield Job(
                stage=match["stage"],
                spec=json.loads(match["spec"][1:-1].replace("'\"'\"'", "'")),
                output=home / shlex.split(match["output"])[0],
                work=home / shlex.split(match["work"])[0],
                environment=match["environment"],
                inputs={role: home / path for role, _, path in inputs},
                reason=reason,
            )


def _counts(output: str) -> Counter:
    """Jobs by rule in the dry run's table, without the rules that only collect."""
    from workflow_scripts.config.stages import STAGES

    table = output.partition("Job stats:")[2].partition("\n\n")[0]
    counts = re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)
    return Counter({name: int(count) for name, count in counts if name in STAGES})
