"""One arm with its inputs, trained once undisturbed; what a fault did to a later run of it; the table of all faults."""

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.e2e.arm import Arm


@dataclass
class Outcome:
    """What one repetition came to: steps that were computed a second time, and whether the end was byte-identical."""

    twice: int
    identical: bool
    said: str


class Bench:
    """The arm, its undisturbed bytes, and snakemake in its project, as a user calls it."""

    def __init__(self, folder: Path, arm: Arm):
        self.folder, self.arm = folder, arm
        self.steps, self.every = arm.project.settings()["algorithms"]["grpo"]["steps"], arm.checkpoint_every
        began = time.monotonic()
        self.arm.run(folder / "undisturbed")
        self.seconds = time.monotonic() - began
        self.expected = self.arm.files(folder / "undisturbed")
        self.root, self.results = self.arm.project.root, self.arm.project.root / "results"
        self.target = f"results/policies/{self.arm.job['identity']}/manifest.json"
        self.work = self.arm.folders(self.results)[1]
        self.log = self.results / "logs" / "train_policy" / f"{self.arm.job['identity']}.log"
        self.environment, self.profile = dict(os.environ), ["--cores", "2"]

    def reset(self) -> None:
        """As before the arm was ever trained; its inputs stand, and nothing of a repetition that failed runs on."""
        self.end()
        for folder in self.arm.folders(self.results):
            shutil.rmtree(folder, ignore_errors=True)

    def end(self) -> None:
        """Kill what works in the project's folder: controllers, and jobs that outlived theirs."""
        for process in psutil.process_iter(["cwd"]):
            if process.info["cwd"] == str(self.root):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    def home(self, name: str) -> Path:
        """A new results folder of the arm alone."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return self.folder / name

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        """Snakemake on the arm, or on the manifests in `arguments`; the others are options."""
        targets = [a for a in arguments if a.endswith("manifest.json")] or [self.target]
        options = [a for a in arguments if not a.endswith("manifest.json")]
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--configfile", self.arm.project.config]
            + [*self.profile, *options, "--ignore-incomplete", *targets],
            cwd=self.root,
            env={**self.environment, "PYTHONPATH": self.path, "OMP_NUM_THREADS": "1", **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def path(self) -> str:
        """The copy of the project wins over what is installed; behind it, whatever the caller has."""
        return ":".join(filter(None, [str(self.root), self.environment.get("PYTHONPATH")]))

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        controller = self.start(*arguments, **environment)
        output, _ = controller.communicate(timeout=900)
        return controller.returncode, output

    def holder(self, seconds: float = 240) -> dict:
        """Owner of the arm's work directory, as soon as it has saved a checkpoint."""
        self.wait_for(lambda: any(self.work.glob("checkpoints/step-*/state.json")), seconds)
        return json.loads((self.work / "lock").read_text())

    def step(self) -> int:
        """The step that the trainer has reported last."""
        path = self.work / "progress.json"
        return json.loads(path.read_text())["step"] if path.is_file() else 0

    def resumed(self) -> int:
        """Where the trainer's last attempt took up the work: at the end, if only publishing was left."""
        if self.says(": restored "):
            return self.steps
        found = re.search(r"^resumed after step (\d+)", self.log.read_text(), re.MULTILINE)
        return int(found[1]) if found else 0

    def says(self, text: str) -> bool:
        """Whether the arm's log holds `text`; snakemake removes it before each attempt."""
        try:
            return text in self.log.read_text(errors="replace")
        except FileNotFoundError:
            return False

    def outcome(self, reached: int, said: str, home: Path | None = None) -> Outcome:
        """`reached`: the last step that is known to have been computed before the fault."""
        resumed, identical = self.resumed(), self.arm.files(home or self.results) == self.expected
        return Outcome(max(0, reached - resumed), identical, f"{said}; went on after step {resumed}")

    @staticmethod
    def wait_for(condition: Callable[[], bool], seconds: float = 240) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("what the fault waits for did not come")
            time.sleep(0.01)


Fault = Callable[[Bench, random.Random], Outcome]


def line_of(output: str, stage: str = "train_policy") -> str:
    """The one line of a stage in what snakemake printed."""
    found = re.findall(rf"^{stage}: .*$", output, re.MULTILINE)
    return found[-1] if found else (output.strip().splitlines() or ["nothing"])[-1]


def measure(bench: Bench, faults: dict[str, Fault], repetitions: int, seed: int) -> bool:
    """Every fault `repetitions` times, a line for each and a table at the end; whether all ended identical."""
    rows = []
    for name, fault in faults.items():
        outcomes = []
        for number in range(repetitions):
            bench.reset()
            try:
                outcomes.append(fault(bench, random.Random(f"{name} {seed + number}")))
            except Exception as error:  # the other faults are still worth measuring
                outcomes.append(Outcome(0, False, f"the repetition failed: {str(error)[-300:]}"))
            finally:
                bench.end()
            print(f"{name}, seed {seed + number}: {outcomes[-1]}", flush=True)
        rows.append((name, outcomes))
    print(f"\n{bench.steps} steps, undisturbed in {bench.seconds:.0f} s\n\n| fault | times | steps twice | identical |")
    print("|---|---|---|---|")
    for name, outcomes in rows:
        twice, same = ", ".join(str(one.twice) for one in outcomes), sum(one.identical for one in outcomes)
        print(f"| {name} | {len(outcomes)} | {twice} | {same} of {len(outcomes)} |")
    return all(one.identical for _, outcomes in rows for one in outcomes)
