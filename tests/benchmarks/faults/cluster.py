"""Faults of a cluster, on a real SLURM of two nodes: what it does to jobs, and what happens to those who watch them."""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.faults.bench import Bench, Outcome
from tests.e2e.arm import Arm
from tests.slurm.cluster import Cluster

STEPS, CHECKPOINT_EVERY = 100, 7
SETTINGS = {"SlurmdTimeout": "20", "KillWait": "30"}  # seconds: a node is given up sooner; KillWait as SLURM has it
STATES = "%i %T %r"


class ClusterBench(Bench):
    """Jobs of the project's own profile, watched at short intervals."""

    def __init__(self, folder: Path, cluster: Cluster):
        super().__init__(folder, Arm.micro(folder / "project", STEPS, CHECKPOINT_EVERY))
        self.cluster, self.environment = cluster, cluster.environment
        self.profile = ["--workflow-profile", "config/profiles/slurm", "--slurm-status-command", "squeue"]
        self.profile += ["--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "10"]

    def slurm(self, *command: str) -> str:
        done = self.cluster.run(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def state(self, job: str) -> str:
        return self.slurm("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T")

    def submitted(self, rng: random.Random, *arguments: str) -> tuple[subprocess.Popen, dict]:
        """A controller whose job has saved a checkpoint a random while ago, and the owner of the work directory."""
        controller = self.start(*arguments)
        owner = self.holder()
        time.sleep(rng.random() * 2)
        return controller, owner

    def finished(self, controller: subprocess.Popen, reached: int, said: str) -> Outcome:
        output, _ = controller.communicate(timeout=900)
        assert controller.returncode == 0, output[-2000:]
        return self.outcome(reached, said)


@contextmanager
def on_a_cluster(folder: Path) -> Iterator[ClusterBench]:
    with Cluster(folder / "slurm", settings=SETTINGS, deadline=4 * 3600) as cluster:
        yield ClusterBench(folder, cluster)


def cancel(bench: ClusterBench, rng: random.Random) -> Outcome:
    """scancel: the trainer saves its step, the profile's retry goes on from there."""
    controller, owner = bench.submitted(rng)
    reached = bench.step()
    bench.slurm("scancel", owner["slurm"])
    bench.wait_for(lambda: bench.state(owner["slurm"]) == "CANCELLED")
    return bench.finished(controller, reached, f"job {owner['slurm']} CANCELLED after step {reached} or later")


def time_out(bench: ClusterBench, rng: random.Random) -> Outcome:
    """A walltime of a minute passes while the trainer is stopped, so that its own time budget cannot act."""
    controller, owner = bench.submitted(rng, "--set-resources", "train_policy:runtime=1 * attempt")
    reached = bench.step()
    os.kill(owner["pid"], signal.SIGSTOP)  # SLURM sends SIGCONT with SIGTERM
    bench.wait_for(lambda: bench.state(owner["slurm"]) == "TIMEOUT")
    return bench.finished(controller, reached, f"job {owner['slurm']} TIMEOUT after step {reached} or later")


def requeue(bench: ClusterBench, rng: random.Random) -> Outcome:
    """scontrol requeue: the same job begins anew, its lock was its own."""
    controller, owner = bench.submitted(rng)
    reached = bench.step()
    bench.slurm("scontrol", "requeue", owner["slurm"])
    bench.wait_for(lambda: bench.state(owner["slurm"]) == "PENDING")
    return bench.finished(controller, reached, f"job {owner['slurm']} requeued after step {reached} or later")


def kill_slurmd(bench: ClusterBench, rng: random.Random) -> Outcome:
    """The node is lost to SLURM, which runs the job elsewhere, while its processes live: the second must keep out."""
    controller, owner = bench.submitted(rng)
    node = bench.slurm("squeue", "--noheader", f"--jobs={owner['slurm']}", "--format=%N")
    os.kill(owner["pid"], signal.SIGSTOP)  # else it may have ended before SLURM gives the node up
    bench.cluster.kill(node)
    try:
        bench.wait_for(lambda: bench.says("in use by process"), 600)
        os.kill(owner["pid"], signal.SIGCONT)
        output, _ = controller.communicate(timeout=900)
        assert controller.returncode == 0, output[-2000:]
    finally:
        if controller.poll() is None:
            bench.end()  # else the node would wait for the process that was stopped
        bench.cluster.start(node)
        bench.cluster.wait_until_idle()
    states = bench.slurm("squeue", "--noheader", "--states=all", f"--jobs={owner['slurm']}", f"--format={STATES}")
    return Outcome(0, bench.arm.files(bench.results) == bench.expected, f"{node} lost; {states}; a second kept out")


def kill_controller(bench: ClusterBench, rng: random.Random) -> Outcome:
    """SIGKILL of the controller; the next one refuses to start, or with ADOPT=1 waits, and submits nothing twice."""
    controller, owner = bench.submitted(rng)
    controller.kill()
    controller.communicate()
    os.kill(owner["pid"], signal.SIGSTOP)
    status, refusal = bench.run()
    said = re.findall(rf"^.*in the queue: {owner['slurm']} .*$", refusal, re.MULTILINE)
    assert status == 1 and said, refusal[-2000:]
    os.kill(owner["pid"], signal.SIGCONT)
    status, output = bench.run(ADOPT="1")
    assert status == 0, output[-2000:]
    newer = bench.slurm("squeue", "--noheader", "--states=all", "--format=%A").split()
    assert max(map(int, newer)) == int(owner["slurm"]), f"jobs after {owner['slurm']}: {newer}"
    return Outcome(0, bench.arm.files(bench.results) == bench.expected, said[0])


SLURM = {
    "scancel": cancel,
    "TIMEOUT of the walltime": time_out,
    "scontrol requeue": requeue,
    "SIGKILL of slurmd": kill_slurmd,
    "SIGKILL of the controller, jobs live": kill_controller,
}
