"""Model servers in a real allocation: on GPUs that ranks do not see, on nodes of their own, and gone with their job."""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.project import ROOT
from tests.slurm.cluster import Cluster
from tests.slurm.packages import Unavailable
from tests.slurm.processes import having, wait_until
from tests.unit.serving.processes import command_lines
from workflow_scripts.config.models import Placement
from workflow_scripts.config.placement import launcher

# What the executor leaves to a rule that calls srun itself.
STRIPPED = "for name in ${!SLURM_*}; do [ $name = SLURM_JOB_ID ] || unset $name; done"


@pytest.fixture(scope="module")
def cluster():
    """Three nodes of four GPUs."""
    directory = Path(tempfile.mkdtemp(prefix="slurm-"))
    try:
        with Cluster(directory, nodes=3, gpus=4, cpus=2, deadline=900) as running:
            yield running
    except Unavailable as reason:
        pytest.fail(str(reason))
    finally:
        shutil.rmtree(directory)


class ServingJob:
    """A submitted job of `serving_job` with a placement, and what it has left in its folder."""

    def __init__(self, cluster: Cluster, folder: Path, place: Placement, edit: Callable[[str], str]) -> None:
        self.cluster, self.folder, self.place = cluster, folder, place
        size = [f"--nodes={place.nodes}", f"--ntasks={place.nodes}", f"--gres=gpu:{place.gpus}", "--partition=gpu"]
        line = f"{STRIPPED}; exec {edit(launcher(place, True))} tests.slurm.serving_job {folder}"
        environment = cluster.environment | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        options = [*size, "--parsable", f"--output={folder}/job.out", f"--chdir={ROOT}"]
        script = folder / "job.sh"
        script.write_text(f"#!/bin/bash\n{line}\n")
        done = cluster.run("sbatch", *options, str(script), env=environment)
        assert done.returncode == 0, done.stderr
        self.id = done.stdout.strip()

    def ranks(self) -> list[dict]:
        """What the ranks wrote, once all have."""
        files = [self.folder / f"rank-{rank}.json" for rank in range(self.place.ranks)]
        wait_until(lambda: all(file.exists() for file in files) or self.ended(), 120, "ranks with servers")
        assert all(file.exists() for file in files), (self.folder / "job.out").read_text()[-3000:]
        return [json.loads(file.read_text()) for file in files]

    def state(self) -> str:
        return self.cluster.run(
            "squeue", "--states=all", "--noheader", f"--job={self.id}", "--format=%T"
        ).stdout.strip()

    def ended(self) -> bool:
        return self.state() in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")

    def servers(self) -> dict[int, dict[str, str]]:
        """The processes of the servers, hosts and children included, by what is only in their environment."""
        found = having(PYTHONPATH=str(ROOT), SLURM_JOB_ID=self.id)
        return {pid: variables for pid, variables in found.items() if "VLLM_API_KEY" in variables}

    def texts(self) -> dict[Path, str]:
        """All logs of the job and of the cluster."""
        files = [*self.folder.glob("*.log*"), self.folder / "job.out", *self.cluster.directory.glob("*.log")]
        return {file: file.read_text(errors="replace") for file in files}


@pytest.fixture
def submit(cluster, tmp_path):
    jobs = []

    def start(edit=str, **placement) -> ServingJob:
        jobs.append(ServingJob(cluster, tmp_path, Placement(**placement), edit))
        return jobs[-1]

    yield start
    for job in jobs:
        cluster.run("scancel", "--signal=KILL", "--full", job.id)
        cluster.run("scancel", job.id)


def keep_secret(job: ServingJob, key: str) -> None:
    """The key is on no command line, in no log, and not in what SLURM tells of jobs and steps."""
    assert len(key) > 30 and any(key in variables["VLLM_API_KEY"] for variables in job.servers().values())
    assert not any(key in line for line in command_lines())
    assert [str(path) for path, text in job.texts().items() if key in text] == []
    for what in ("job", "step"):
        shown = job.cluster.run("scontrol", "show", "--details", what, *([job.id] if what == "job" else []))
        assert job.id in shown.stdout and key not in shown.stdout


def test_ranks_and_servers_split_the_gpus_of_their_node(submit):
    job = submit(gpus=4, serving_gpus=2)
    ranks = job.ranks()
    assert [rank["own"] for rank in ranks] == ["0,1", "0,1"] and {rank["limit"] for rank in ranks} == {4}
    for rank in ranks:
        assert sorted(server["CUDA_VISIBLE_DEVICES"] for server in rank["servers"]) == ["2", "3"]
        assert all(server["url"].startswith("http://127.0.0.1:") and not server["RANK"] for server in rank["servers"])
    keep_secret(job, ranks[0]["key"])
    (job.folder / "stop").touch()
    wait_until(lambda: (job.folder / "stopped").exists() and not job.servers(), 30, "the end of the servers")
    (job.folder / "leave").touch()
    wait_until(lambda: job.state() == "COMPLETED", 30, "the end of the job")


def test_servers_on_the_last_node_serve_the_ranks_of_the_others(submit):
    """srun + torchrun on two nodes; both ask both servers of the third."""
    job = submit(nodes=3, serving_nodes=1, gpus=2)
    ranks = job.ranks()
    assert {rank["node"] for rank in ranks} == {"gpu1", "gpu2"} and {rank["own"] for rank in ranks} == {"0,1"}
    assert len({rank["key"] for rank in ranks}) == 1 and {rank["limit"] for rank in ranks} == {2}
    for rank in ranks:
        assert [server["SLURMD_NODENAME"] for server in rank["servers"]] == ["gpu3", "gpu3"]
        assert sorted(server["CUDA_VISIBLE_DEVICES"] for server in rank["servers"]) == ["0", "1"]
    keep_secret(job, ranks[0]["key"])
    listening = {server["url"].split("/")[2].split(":")[0] for rank in ranks for server in rank["servers"]}
    assert "0.0.0.0" not in listening and len(listening) == 1
    (job.folder / "stop").touch()
    wait_until(lambda: (job.folder / "stopped").exists() and not job.servers(), 40, "the end of the servers")
    assert job.state() == "RUNNING"  # they end when they are told to, not with the job
    (job.folder / "leave").touch()
    wait_until(lambda: job.state() == "COMPLETED", 30, "the end of the job")


@pytest.mark.parametrize("how", ["rank", "ranks", "node", "job"])
def test_nothing_is_left_of_servers_on_a_node_of_their_own(submit, how):
    """SIGKILL to the first rank, all ranks, all processes of the first node (srun too), and the job by scancel."""
    job = submit(nodes=2, serving_nodes=1, gpus=2)
    ranks = job.ranks()
    assert {server["SLURMD_NODENAME"] for rank in ranks for server in rank["servers"]} == {"gpu2"}
    assert {rank["node"] for rank in ranks} == {"gpu1"} and len(job.servers()) >= 6  # srun, host, servers, children
    if how == "job":
        job.cluster.run("scancel", "--signal=KILL", "--full", job.id)
    for pid, variables in having(SLURM_JOB_ID=job.id).items():
        first = variables.get("RANK") == "0"
        if {"rank": first, "ranks": "RANK" in variables, "node": variables.get("SLURMD_NODENAME") != "gpu2"}.get(how):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not job.servers(), 40, "the end of the servers")
    wait_until(job.ended, 40, "the end of the job")
    assert not having(SLURM_JOB_ID=job.id)


def test_a_server_killed_on_another_node_is_told_with_its_log(submit):
    job = submit(nodes=3, serving_nodes=1, gpus=1)
    log = Path(job.ranks()[0]["logs"][0])
    with log.open("a") as text:
        text.write("RuntimeError: CUDA out of memory\n")
    processes = job.servers()
    names = {pid: Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:3] for pid in processes}
    (server,) = [
        pid for pid, words in names.items() if words[:3] == [sys.executable, "-m", "tests.unit.serving.small_server"]
    ]
    os.kill(server, signal.SIGKILL)
    wait_until(job.ended, 40, "the end of the job")
    errors = [path.read_text() for path in sorted(job.folder.glob("error-*.txt"))]
    assert errors and set(errors) == {f"model server has ended: RuntimeError: CUDA out of memory; log: {log}"}
    assert job.state() == "FAILED" and not job.servers()


def test_a_server_that_cannot_start_on_its_node_is_told_with_what_srun_says(submit):
    """The step asks for three GPUs of an allocation with one."""
    job = submit(nodes=2, serving_nodes=1, gpus=1, edit=lambda line: line.replace("--gres=gpu:1", "--gres=gpu:3"))
    wait_until(job.ended, 60, "the end of the job")
    error = (job.folder / "error-0.txt").read_text()
    assert "model server ended before it was ready: srun: error: Unable to create step" in error, error


SNAKEFILE = """
from tests.unit.config.test_placement import served_teacher
from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.placement import placement_of_job, resources_of

config = served_teacher({"train_policy": {"nodes": 2, "serving_nodes": 1, "gpus": 1, "memory_gb": 1}})


def resources(engine):
    artifact = Artifact("train_policy", engine, {"engine": engine}, "code", "code")
    return resources_of(placement_of_job(config, artifact), "train_policy", "cpu")


def of_job(name):
    return lambda wildcards: resources(wildcards.engine).get(name)


rule train:
    output:
        "{engine}/stopped"
    resources:
        **{name: of_job(name) for name in resources("served")},
    shell:
        "exec {resources.launcher} tests.slurm.serving_job $PWD/{wildcards.engine}"
"""


def test_the_executor_gives_a_job_its_servers_and_another_one_none(cluster, tmp_path):
    """Resources and launcher of a placement through snakemake's SLURM plugin, in which a served job has two nodes."""
    if not find_spec("snakemake_executor_plugin_slurm"):
        pytest.fail("needs the executor plugin: make slurm-test")
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    for engine in ("served", "inprocess"):
        (tmp_path / engine).mkdir()
        for order in ("stop", "leave"):
            (tmp_path / engine / order).touch()
    options = ["--executor", "slurm", "--jobs", "2", "--slurm-status-command", "squeue", "--latency-wait", "10"]
    options += ["--slurm-init-seconds-before-status-checks", "5", "--default-resources", "slurm_partition=gpu"]
    done = cluster.run(
        *(sys.executable, "-m", "snakemake", "served/stopped", "inprocess/stopped", *options),
        cwd=tmp_path,
        env=cluster.environment | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    served, alone = (json.loads((tmp_path / engine / "rank-0.json").read_text()) for engine in ("served", "inprocess"))
    shown = cluster.run("squeue", "--states=all", "--noheader", "--format=%k|%D").stdout.splitlines()
    assert {"rule_train_wildcards_served|2", "rule_train_wildcards_inprocess|1"} <= set(shown)
    assert len({served["node"], *(server["SLURMD_NODENAME"] for server in served["servers"])}) == 2
    assert [server["SLURMD_NODENAME"] for server in alone["servers"]] == [alone["node"]]
