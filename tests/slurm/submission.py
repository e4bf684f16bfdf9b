"""Projects that a test submits to the cluster, as a user does: the profile's lines for the site are filled in."""

import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.project import Project
from tests.slurm.cluster import Cluster

PROFILE = "config/profiles/slurm"
SITE = {
    "slurm_account": "rl_group",
    "qos": "normal",
    "gpu_type": "h100",
    "slurm-status-command": "squeue",  # no accounting in the test cluster
}
# What only a test wants: polls as frequent as the plugin allows, and no second try that hides a first failure.
FOR_TESTS = ("--slurm-init-seconds-before-status-checks", "5", "--retries", "0", "--latency-wait", "10")
COLUMNS = {
    "id": "%i",
    "array": "%F",
    "name": "%j",
    "comment": "%k",
    "state": "%T",
    "partition": "%P",
    "account": "%a",
    "gres": "%b",
    "nodes": "%D",
    "node_list": "%N",
    "cpus": "%C",
    "memory": "%m",
    "time": "%l",
    "directory": "%Z",
}


class Submission:
    """A project on a cluster; `run` submits what its targets lack and waits for the end."""

    def __init__(self, project: Project, cluster: Cluster) -> None:
        self.project, self.cluster = project, cluster

    def fill_in_site(self) -> None:
        """Remove the comment signs before the profile's lines for account, QOS, GPU type and status command."""
        path = self.project.root / PROFILE / "profile.v9+.yaml"
        text = path.read_text()
        for key, value in SITE.items():
            text, found = re.subn(rf"^( *)# ({key}:) \S+", rf"\1\2 {value}", text, flags=re.MULTILINE)
            assert found == 1, f"{path}: no commented line {key}"
        path.write_text(text)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen:
        """The controller, with these environment variables, in a session of its own; it is ended with the cluster."""
        command = ["--configfile", str(self.project.config), "--workflow-profile", PROFILE, *FOR_TESTS, *arguments]
        environment = {"PYTHONPATH": str(self.project.root), "OMP_NUM_THREADS": "1", **variables}
        with (self.project.root / "controller.log").open("w") as log:
            controller = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *command],
                cwd=self.project.root,
                env={**self.cluster.environment, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.cluster.end_too(controller.pid)
        return controller

    def run(self, *arguments: str, seconds: int = 1800, **variables: str) -> int:
        """Exit status of a controller that got this long."""
        controller = self.start(*arguments, **variables)
        try:
            return controller.wait(seconds)
        except subprocess.TimeoutExpired:
            controller.send_signal(signal.SIGTERM)
            raise

    @property
    def log(self) -> str:
        return (self.project.root / "controller.log").read_text()

    def sbatch_options(self) -> list[str]:
        """The options of each submission from this project's folder, without the command."""
        lines = (self.cluster.directory / "sbatch.log").read_text().splitlines()
        here = f" -D {self.project.root.resolve()} "
        return [line.partition(" --wrap")[0] for line in lines if here in line]

    def jobs(self) -> list[dict[str, str]]:
        """What SLURM knows of all jobs of this project, finished ones too; a row per task of an array."""
        shown = self.cluster.run(
            "squeue", "--states=all", "--array", "--noheader", "--sort=i", f"--format={'|'.join(COLUMNS.values())}"
        )
        rows = [dict(zip(COLUMNS, line.split("|"), strict=True)) for line in shown.stdout.splitlines()]
        return [row | {"rule": rule_of(row)} for row in rows if Path(row["directory"]) == self.project.root.resolve()]


def rule_of(job: dict[str, str]) -> str:
    """The rule in the comment that the plugin gives a job."""
    return re.fullmatch(r"rule_(\w+?)(_wildcards_.*)?", job["comment"])[1]
