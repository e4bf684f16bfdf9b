"""One arm of the micro pipeline on its own: its inputs are built once, then it is trained as often as a test likes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.project import ROOT, Project

KILLER = ROOT / "tests" / "e2e" / "killer.py"
STAGE = "workflow_scripts.stages.train_policy"
# The arm's job as the project's own code describes it: run in the project's folder, so that its code decides the key.
DESCRIBE = """
import json, sys, yaml
from pathlib import Path
from workflow_scripts.config.artifact import spec_text
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import load_config
graph = Graph(load_config(yaml.safe_load(Path(sys.argv[1]).read_text())), Path.cwd())
job = next(a for a in graph.of_stage(sys.argv[3]).values() if sys.argv[2] in a.name)
inputs = {role: f"{graph.config.results}/{a.manifest}" for role, a in job.inputs.items()}
print(json.dumps({"identity": job.identity, "spec": spec_text(job), "inputs": inputs}))
"""


class Arm:
    """The arm of `project` whose name holds `name`, its inputs built."""

    @classmethod
    def micro(cls, folder: Path, steps: int, checkpoint_every: int) -> "Arm":
        """An arm whose every update counts: a soft reward, and Clip-Cov, whose loss draws random numbers too."""
        project = Project.copy(ROOT, folder)
        project.set("rewards.teacher", {"kind": "teacher", "teacher": "teacher", "soft": True})
        project.set("studies.reward_by_entropy.rewards", ["teacher"])
        clip_cov = {"loss": "clip_cov", "options": {"clip_cov_ratio": 0.1, "cov_low": 0.001}}
        project.set("entropy.clip_cov", clip_cov)
        project.set("studies.reward_by_entropy.entropy", ["clip_cov"])
        project.set("algorithms.grpo.steps", steps)
        project.set("placement", {"train_policy": {"checkpoint_every": checkpoint_every}})
        return cls(project, ".teacher.clip_cov.", checkpoint_every)

    def __init__(self, project: Project, name: str, checkpoint_every: int) -> None:
        self.project, self.checkpoint_every = project, checkpoint_every
        described = subprocess.run(
            [sys.executable, "-c", DESCRIBE, str(project.config), name, "train_policy"],
            cwd=project.root,
            env=self._environment(),
            check=True,
            text=True,
            stdout=subprocess.PIPE,
        )
        self.job = json.loads(described.stdout)
        done = project.run(*self.job["inputs"].values())
        assert done.returncode == 0, done.stdout[-3000:]

    def folders(self, home: Path) -> tuple[Path, Path]:
        """`(artifact, work directory)` of a run whose results lie in `home`."""
        return home / "policies" / self.job["identity"], home / "work" / "train_policy" / self.job["identity"]

    def start(
        self, home: Path, kill: tuple[str, int] | None = None, by: str = "SIGKILL", ranks: int = 1, **options
    ) -> subprocess.Popen:
        """The trainer in a session of its own; with `kill` = (point, count) it gets the signal `by` there.

        `options` go to the stage: `minutes=1` is `--minutes 1`. Several `ranks` are started by torchrun.
        """
        torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"] if ranks > 1 else []
        launcher = [*torchrun, *([str(KILLER), by, kill[0], str(kill[1]), STAGE] if kill else ["-m", STAGE])]
        more = [f"--{name}={value}" for name, value in options.items()]
        return subprocess.Popen(
            [sys.executable, *launcher, *self._arguments(home), *more],
            cwd=self.project.root,
            env=self._environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, home: Path, kill: tuple[str, int] | None = None, by: str = "SIGKILL", **options) -> str:
        """What the trainer printed; it must end well, or as the signal makes it end: SIGTERM with status 1."""
        trainer = self.start(home, kill, by, **options)
        output, _ = trainer.communicate()
        expected = {"SIGKILL": -signal.SIGKILL, "SIGTERM": 1}[by] if kill else 0
        assert trainer.returncode == expected, output[-3000:]
        return output

    def files(self, home: Path) -> dict[str, bytes]:
        """Bytes by name of the manifest and of all that it lists."""
        folder, _ = self.folders(home)
        manifest = (folder / "manifest.json").read_bytes()
        names = json.loads(manifest)["files"]
        return {"manifest.json": manifest} | {name: (folder / name).read_bytes() for name in names}

    def _arguments(self, home: Path) -> list[Any]:
        output, work = self.folders(home)[0] / "manifest.json", home / "work"
        inputs = [f"--input={role}={path}" for role, path in self.job["inputs"].items()]
        saving = f"--checkpoint-every={self.checkpoint_every}"
        return ["--spec", self.job["spec"], "--output", output, "--work", work, saving, *inputs]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.project.root), "OMP_NUM_THREADS": "1"}
