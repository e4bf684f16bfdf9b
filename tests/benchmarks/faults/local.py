"""Faults of one machine: processes killed or asked to end, a full disk, a damaged file, locks of the dead."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.faults.bench import Bench, Outcome, line_of
from workflow_scripts.artifacts.manifest import read_json
from workflow_scripts.config.artifact import FOLDERS

DISK_BYTES = 16 << 20


def kill_stage(bench: Bench, rng: random.Random) -> Outcome:
    """SIGKILL of another stage than the trainer, at a random moment of its work."""
    manifest = Path(rng.choice(sorted(bench.arm.job["inputs"].values())))
    identity, stage = manifest.parent.name, next(s for s, folder in FOLDERS.items() if folder == manifest.parts[1])
    published, work = bench.root / manifest.parent, bench.results / "work" / stage / identity
    before = (bench.root / manifest).read_bytes()
    for folder in (published, work):
        shutil.rmtree(folder)
    controller = bench.start(str(manifest))
    bench.wait_for(lambda: (work / "lock").is_file() and (work / "lock").read_text().endswith("}"))
    time.sleep(rng.random() * 0.5)
    os.kill(json.loads((work / "lock").read_text())["pid"], signal.SIGKILL)
    output, _ = controller.communicate()
    assert controller.returncode == 1 and not (published / "manifest.json").exists(), output[-2000:]
    status, output = bench.run(str(manifest))
    assert status == 0, output[-2000:]
    return Outcome(0, (published / "manifest.json").read_bytes() == before, f"{stage} killed, computed again")


def kill_trainer(bench: Bench, rng: random.Random) -> Outcome:
    """SIGKILL between two checkpoints."""
    point, step = rng.choice(["rollout", "update"]), rng.randrange(2, bench.steps + 1)
    return _killed(bench, (point, step if point == "rollout" else 2 * step), step - 1)


def kill_in_checkpoint(bench: Bench, rng: random.Random) -> Outcome:
    """SIGKILL while a checkpoint is half written, or the older one is not yet gone."""
    number = rng.randrange(1, bench.steps // bench.every + 1)
    return _killed(bench, (rng.choice(["checkpoint", "renamed"]), number), number * bench.every)


def terminate_trainer(bench: Bench, rng: random.Random) -> Outcome:
    """SIGTERM anywhere, a checkpoint's write included: the step is finished and saved."""
    point, count = rng.choice([("rollout", 5), ("update", 7), ("checkpoint", 2), ("renamed", 1)])
    home = bench.home("terminated")
    said = line_of(bench.arm.run(home, kill=(point, count), by="SIGTERM"))
    return _again(bench, home, int(said.split("after step ")[1].split()[0]), f"{point} {count}: {said}")


def kill_controller(bench: Bench, rng: random.Random) -> Outcome:
    """SIGKILL of the controller; another one starts while the job still runs, and a third one when it has ended."""
    controller = bench.start()
    owner = bench.holder()
    os.kill(owner["pid"], signal.SIGSTOP)  # else it may have ended before the second one has read the Snakefile
    controller.kill()
    controller.wait()
    status, output = bench.run()
    os.kill(owner["pid"], signal.SIGCONT)
    assert status == 1 and f"in use by process {owner['pid']}" in output, output[-2000:]
    bench.wait_for(lambda: not (bench.work / "lock").exists())
    again, last = bench.run()
    assert again == 0, last[-2000:]
    controller.communicate()
    return Outcome(0, bench.arm.files(bench.results) == bench.expected, line_of(output))


def full_disk(bench: Bench, rng: random.Random) -> Outcome:
    """A disk with room for a part of what the trainer writes, the very first byte or the last ones."""
    room = rng.choice([0, rng.randrange(1, 100), rng.randrange(100, 1000)]) << 10
    with small_disk(bench.folder / "disk", room) as disk:
        log = disk / "train.log"
        trainer = bench.arm.start(disk, **{"log-file": log})
        said = trainer.communicate()[0].strip()
        assert trainer.returncode == 1 and "disk is full" in said and len(said.splitlines()) == 1, said
        reached = max((int(p.name[5:]) for p in disk.glob("work/*/*/checkpoints/step-*")), default=0)
        (disk / "ballast").unlink()
        return _again(bench, disk, reached, f"{room >> 10} KiB of room: {said}")


def truncated_parquet(bench: Bench, rng: random.Random) -> Outcome:
    """An input cut short, with its hard link among the finished work or without: the consumer stops, repair mends."""
    manifests = [bench.root / path for path in bench.arm.job["inputs"].values()]
    tables = [m.parent / n for m in manifests for n in read_json(m)["files"] if n.endswith(".parquet")]
    table = rng.choice(sorted(tables))
    whole = table.read_bytes()
    table.chmod(0o644)
    linked = rng.random() < 0.5
    if not linked:
        table.unlink()
        table.write_bytes(whole)
    os.truncate(table, rng.randrange(len(whole)))
    status, output = bench.run()
    said = line_of(output)
    # the trainer names it where it reads it; a file that nobody reads harms nobody until it is verified
    assert status == 0 or f"{table.name}: checksum differs" in said, output[-2000:]
    mended = bench.arm.project.python("workflow_scripts.maintain", "repair", "--config", str(bench.arm.project.config))
    assert mended.returncode == 0 and table.read_bytes() == whole, mended.stdout[-2000:]
    again, output = bench.run()
    assert again == 0, output[-2000:]
    kind = "both links" if linked else "one of two copies"
    return Outcome(0, bench.arm.files(bench.results) == bench.expected, f"{table.name}, {kind}: {said}")


def dead_lock(bench: Bench, rng: random.Random) -> Outcome:
    """The lock of a killed trainer, its pid taken by another process since, or from another host, or empty."""
    home = bench.home("locked")
    bench.arm.run(home, kill=("rollout", 1))
    lock = bench.arm.folders(home)[1] / "lock"
    owner = json.loads(lock.read_text())
    kind, text = rng.choice(
        [
            ("dead pid", json.dumps(owner)),
            ("pid taken by another process", json.dumps(owner | {"pid": os.getpid()})),
            ("silent host", json.dumps(owner | {"host": "elsewhere"})),
            ("empty", ""),
        ]
    )
    lock.write_text(text)
    if kind in ("silent host", "empty"):
        os.utime(lock, (time.time() - 600,) * 2)
    return _again(bench, home, 0, kind)


LOCAL = {
    "SIGKILL of a stage": kill_stage,
    "SIGKILL of the trainer between checkpoints": kill_trainer,
    "SIGKILL of the trainer during a checkpoint": kill_in_checkpoint,
    "SIGTERM to the trainer": terminate_trainer,
    "SIGKILL of the controller, restarted at once": kill_controller,
    "full disk": full_disk,
    "truncated Parquet file": truncated_parquet,
    "lock of a dead process": dead_lock,
}


def _killed(bench: Bench, kill: tuple[str, int], reached: int) -> Outcome:
    home = bench.home("killed")
    bench.arm.run(home, kill)
    return _again(bench, home, reached, f"{kill[0]} {kill[1]}")


def _again(bench: Bench, home: Path, reached: int, said: str) -> Outcome:
    """Run the arm to its end in `home`, its log where `bench.resumed` looks."""
    output = bench.arm.run(home)
    bench.log.parent.mkdir(parents=True, exist_ok=True)
    bench.log.write_text(output)
    return bench.outcome(reached, said, home)


@contextmanager
def small_disk(path: Path, room: int) -> Iterator[Path]:
    """A file system of its own with `room` bytes left beside its file `ballast`. PermissionError where none may be."""
    path.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", path]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        raise PermissionError(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        free = os.statvfs(path)
        (path / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize - room))
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
