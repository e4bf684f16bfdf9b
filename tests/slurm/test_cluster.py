"""The test cluster itself: it leaves no process behind, whatever happens to those who use it."""

import os
import signal
import subprocess
import sys

import pytest

from tests.project import ROOT
from tests.slurm.cluster import Cluster
from tests.slurm.packages import Unavailable
from tests.slurm.processes import having, wait_until

JOB = "trap '' TERM; setsid sleep 600 & srun --nodes=2 --ntasks-per-node=1 --gres=gpu:8 sleep 600"


def processes(directory):
    return having(SLURM_CONF=str(directory / "slurm.conf"))


def command_line(directory, *options):
    """The command line by hand, in a folder of its own; its job has detached processes and one step on two nodes."""
    script = f"sbatch --nodes=2 --gres=gpu:8 --output={directory}/job.log --wrap '{JOB}'; sleep 600"
    command = [sys.executable, "-m", "tests.slurm.cluster", str(directory), *options, "--", "bash", "-c", script]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture
def directory(cluster, tmp_path_factory):
    """Beside the other tests' cluster, which is not touched."""
    folder = cluster.directory / f"another-{os.getpid()}-{tmp_path_factory.mktemp('other').name}"
    yield folder
    assert not processes(folder) and cluster.run("sinfo", "--noheader", "--format=%D %T", "-pgpu").stdout


def steps_run(directory):
    return len([1 for variables in processes(directory).values() if "SLURM_STEP_ID" in variables]) >= 2


def test_killed_in_the_middle_it_leaves_nothing(directory):
    user = command_line(directory)
    wait_until(lambda: steps_run(directory), 60, "a step on two nodes")
    user.kill()
    user.wait()
    wait_until(lambda: not processes(directory), 10, "the end of daemons, steps, job processes and the command")


def test_the_deadline_ends_everything(directory):
    user = command_line(directory, "--deadline", "12")
    wait_until(lambda: steps_run(directory), 12, "a step on two nodes")
    output, _ = user.communicate(timeout=30)
    assert user.returncode == 128 + signal.SIGKILL and "ended by SIGALRM" in output, output


def test_one_line_where_the_directory_is_in_use(cluster):
    with pytest.raises(Unavailable, match="is not empty"), Cluster(cluster.directory):
        pass
