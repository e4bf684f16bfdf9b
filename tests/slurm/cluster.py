"""A real two-node SLURM with pretend GPUs on this machine, below one directory, for tests and for a try by hand.

    python -m tests.slurm.cluster DIR -- COMMAND ...        run COMMAND (for instance bash) with the cluster around it

    with Cluster(directory) as cluster:
        cluster.run("sinfo")                                any command in the cluster's environment
        cluster.kill("gpu2"); cluster.start("gpu2")         a node dies and comes back; so may slurmctld and munged

Everything lies in DIR, which has to be new or empty: munge's socket and key, configuration, spool, logs, `sbatch.log`
with the arguments of each submission, and `bin`, SLURM's commands bound to this cluster: job steps lose SLURM_CONF,
which the executor plugin strips, but not PATH. Ports are free ones. Two clusters may run side by side, and a SLURM or
munge of the machine is neither needed nor touched. All processes are children of `supervisor.py`, which ends them
whatever happens to the user of the cluster.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.slurm.packages import Unavailable, install, which

COMMANDS = ("sacct", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun", "sacctmgr")
GPU_TYPE = "h100"
SOCKET_PATH_LIMIT = 107  # bytes of a Unix socket's path
START_SECONDS = 60

SLURM_CONF = {
    "ClusterName": "pretend",
    "AuthType": "auth/munge",
    "ProctrackType": "proctrack/linuxproc",
    "TaskPlugin": "task/none",
    "SelectType": "select/cons_tres",
    "SelectTypeParameters": "CR_Core_Memory",
    "SchedulerParameters": "batch_sched_delay=0,sched_interval=5,bf_interval=5",
    "GresTypes": "gpu",
    "SlurmdParameters": "config_overrides",
    "ReturnToService": "2",
    "MpiDefault": "none",
    "SlurmctldTimeout": "60",
    "SlurmdTimeout": "60",
    "KillWait": "10",
    "MinJobAge": "3600",  # squeue is asked for the state of finished jobs
    "AccountingStorageType": "accounting_storage/none",
    "JobAcctGatherType": "jobacct_gather/none",
}


class Cluster:
    """A context manager; the deadline (seconds) ends everything.

    `cpus` (per node) bounds the jobs that run at once, `settings` are further lines of slurm.conf.
    """

    def __init__(
        self,
        directory: Path,
        *,
        nodes: int = 2,
        gpus: int = 8,
        cpus: int = 128,
        deadline: int = 1800,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.directory, self.gpus, self.cpus, self.deadline = Path(directory).resolve(), gpus, cpus, deadline
        self.nodes = [f"gpu{index}" for index in range(1, nodes + 1)]
        self.settings = {**SLURM_CONF, **(settings or {})}
        self.pids: dict[str, int] = {}
        self.supervisor: subprocess.Popen | None = None

    # ------------------------------------------------------------------------------------- life
    def __enter__(self) -> "Cluster":
        """Start the daemons and wait until all nodes are idle. Raises Unavailable, with one line."""
        install()
        self.directory.mkdir(parents=True, exist_ok=True)
        if any(self.directory.iterdir()):
            raise Unavailable(f"{self.directory} is not empty: give a test cluster a directory of its own")
        if len(os.fsencode(self.munge_socket)) > SOCKET_PATH_LIMIT:
            raise Unavailable(f"{self.directory}: path too long for a Unix socket")
        self.write_files()
        self.supervisor = subprocess.Popen(
            [sys.executable, "-m", "tests.slurm.supervisor", str(self.deadline)],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            for name in ("munged", "slurmctld", *self.nodes):
                self.start(name)
            self.wait_until_idle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        with suppress(BrokenPipeError):  # it has ended already
            self.supervisor.stdin.close()
        self.supervisor.wait()

    def start(self, name: str) -> int:
        """Start a daemon (munged, slurmctld, or a node's slurmd); its pid."""
        environment = ["env", f"SLURM_CONF={self.conf}"]
        self.pids[name] = self.ask(start=[*environment, *self.command(name)], log=str(self.output(name)))
        if name == "munged":
            self.wait_for(self.munge_socket.exists, "munged did not open its socket")
        return self.pids[name]

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a daemon and wait until it is gone."""
        pid = self.pids.pop(name)
        os.kill(pid, number)
        self.wait_for(lambda: not is_alive(pid), f"{name} did not end by signal {number}")

    def run(self, *command: str, **options) -> subprocess.CompletedProcess:
        """A command in the cluster's environment, its output captured as text."""
        options = {"env": self.environment, "text": True, "capture_output": True, **options}
        return subprocess.run(command, **options)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.directory / 'bin'}:{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "PATH": path, "SLURM_CONF": str(self.conf)}

    def end_too(self, pid: int) -> None:
        """Have a process of the user's, and its descendants, ended with the cluster."""
        self.ask(end_too=pid)

    def ask(self, **request) -> int:
        """Send a request to the supervisor; its answer. Raises Unavailable where it has ended."""
        try:
            self.supervisor.stdin.write(json.dumps(request) + "\n")
            self.supervisor.stdin.flush()
            return int(self.supervisor.stdout.readline())
        except (BrokenPipeError, ValueError):
            raise Unavailable(f"the cluster in {self.directory} has ended (deadline: {self.deadline} s)") from None

    def wait_until_idle(self) -> None:
        def idle() -> bool:
            states = self.run("sinfo", "--noheader", "--Node", "--format=%N %T", "--partition=gpu").stdout
            return sorted(states.split()) == sorted(["idle", *self.nodes] + ["idle"] * (len(self.nodes) - 1))

        self.wait_for(idle, "the nodes did not get idle")

    def wait_for(self, condition: Callable[[], bool], failure: str) -> None:
        """Wait for a condition; Unavailable when that takes too long or a daemon has ended."""
        end = time.monotonic() + START_SECONDS
        while not condition():
            for name, pid in self.pids.items():
                if not is_alive(pid):
                    lines = self.output(name).read_text().strip().splitlines() or ["no output"]
                    raise Unavailable(f"{name} has ended: {lines[-1]} ({self.output(name)})")
            if time.monotonic() > end:
                raise Unavailable(f"{failure} within {START_SECONDS} s: see the logs in {self.directory}")
            time.sleep(0.1)

    # ------------------------------------------------------------------------------------- files
    @property
    def conf(self) -> Path:
        return self.directory / "slurm.conf"

    def output(self, name: str) -> Path:
        """What a daemon writes to its terminal."""
        return self.directory / f"{name}.out"

    @property
    def munge_socket(self) -> Path:
        return self.directory / "munge.socket"

    def command(self, name: str) -> list[str]:
        """Foreground command line of a daemon."""
        if name == "munged":
            files = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed", "key-file": "key"}
            options = [f"--{option}={self.directory / f'munge.{suffix}'}" for option, suffix in files.items()]
            return [which("munged"), "--foreground", "--force", *options]  # --force: a socket in a private directory
        if name == "slurmctld":
            return [which("slurmctld"), "-D", "-f", str(self.conf)]
        return [which("slurmd"), "-D", "-N", name, "-f", str(self.conf)]

    def write_files(self) -> None:
        for folder in ("bin", "state", *(f"spool/{node}" for node in self.nodes)):
            (self.directory / folder).mkdir(parents=True)
        (self.directory / "munge.key").write_bytes(os.urandom(128))
        (self.directory / "munge.key").chmod(0o400)
        for index in range(self.gpus):  # SLURM wants a character device and only looks at its name
            (self.directory / f"gpu{index}").symlink_to("/dev/null")
        self.conf.write_text(self.slurm_conf())
        # Nothing here uses cgroups. This plugin, unlike the others, does not look for them when slurmd starts, and a
        # container may have none.
        (self.directory / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        gres = f"NodeName={self.node_range} Name=gpu Type={GPU_TYPE} File={self.directory}/gpu[0-{self.gpus - 1}]\n"
        (self.directory / "gres.conf").write_text(gres)
        for command in COMMANDS:
            if program := which(command):
                script = self.directory / "bin" / command
                note = f'printf "%s\\n" "$*" >> {self.directory}/sbatch.log\n' if command == "sbatch" else ""
                script.write_text(f'#!/bin/sh\n{note}SLURM_CONF={self.conf} exec {program} "$@"\n')
                script.chmod(0o755)

    @property
    def node_range(self) -> str:
        return f"gpu[1-{len(self.nodes)}]"

    def slurm_conf(self) -> str:
        host = socket.gethostname().split(".")[0]
        user = f"{os.geteuid()}"
        control, *ports = free_ports(1 + len(self.nodes))
        own = {
            "SlurmctldHost": f"{host}(127.0.0.1)",
            "SlurmctldPort": control,
            "SlurmUser": user,
            "SlurmdUser": user,
            "AuthInfo": f"socket={self.munge_socket}",
            "StateSaveLocation": self.directory / "state",
            "SlurmctldPidFile": self.directory / "slurmctld.pid",
            "SlurmctldLogFile": self.directory / "slurmctld.log",
            "SlurmdSpoolDir": self.directory / "spool/%n",
            "SlurmdPidFile": self.directory / "%n.pid",
            "SlurmdLogFile": self.directory / "%n.log",
        }
        lines = [f"{key}={value}" for key, value in (own | self.settings).items()]
        for node, port in zip(self.nodes, ports, strict=True):
            address = f"NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
            size = f"CPUs={self.cpus} RealMemory=2000000 Gres=gpu:{GPU_TYPE}:{self.gpus}"
            lines.append(f"NodeName={node} {address} {size}")
        for partition, default in (("cpu", "YES"), ("gpu", "NO")):
            lines.append(
                f"PartitionName={partition} Nodes={self.node_range} Default={default} MaxTime=INFINITE State=UP"
            )
        return "\n".join(lines) + "\n"


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def free_ports(count: int) -> list[int]:
    """Different free ports of the loopback interface, all held until the last is found."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.slurm.cluster", description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="a new or empty directory")
    parser.add_argument("--nodes", type=int, default=2, help="nodes of 8 pretend GPUs (2)")
    parser.add_argument("--cpus", type=int, default=128, help="CPUs per node, which bound what runs at once (128)")
    parser.add_argument("--deadline", type=int, default=1800, help="seconds until everything is ended (1800)")
    parser.add_argument("command", nargs="+", help="after --: what to run; the exit status is its own")
    arguments = parser.parse_args(argv)
    try:
        size = {"nodes": arguments.nodes, "cpus": arguments.cpus, "deadline": arguments.deadline}
        with Cluster(arguments.directory, **size) as cluster:
            process = subprocess.Popen(arguments.command, env=cluster.environment)
            cluster.end_too(process.pid)
            return wait(process)
    except Unavailable as reason:
        print(f"test cluster: {reason}", file=sys.stderr)
        return 1


def wait(process: subprocess.Popen) -> int:
    """Its exit status, as a shell gives it; Ctrl-C goes to the command, which gets to end in its own way."""
    while True:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            continue
        return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
