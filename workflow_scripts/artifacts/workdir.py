"""Work directories: where a stage computes, keeps its checkpoints, and keeps what it finished.

    <results>/work/<stage>/<name>-<key>/
        lock          held while a job works here
        checkpoints/  survives failure and kill, removed after success
        spent.json    what unfinished attempts have cost
        overrun.json  how often the time budget was used up at the same checkpoint
        progress.json the step that is reached
        parts.json    the parts (parts.py) that an unfinished artifact is made of; a finished one's provenance has them
        staging/      what build() writes
        done/         the finished artifact, manifest.json last; published files are hard links to it
    <results>/work/same/<content id>
        name of the finished work directory of equal config, code and input bytes

An artifact is therefore restored in seconds after a setting was flipped and flipped back, after its output was
removed, after `.snakemake` was lost, and after a change upstream that gave the same bytes.
"""

import os
import shutil
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.lock import Lock
from workflow_scripts.artifacts.manifest import (
    EVENTS,
    NAME,
    PROVENANCE,
    is_intact,
    make_manifest,
    read_manifest,
    write_json,
)


class WorkDir:
    """The work directory of one artifact: `root / stage / name-key`."""

    def __init__(self, root: Path, stage: str, identity: str):
        self.root, self.path = root, root / stage / identity
        self.staging, self.done = self.path / "staging", self.path / "done"
        self.checkpoints, self.spent = self.path / "checkpoints", self.path / "spent.json"
        self.overrun, self.parts = self.path / "overrun.json", self.path / "parts.json"

    def lock(self) -> Lock:
        return Lock(self.path / "lock")

    def finished(self) -> bool:
        """Whether a finished artifact with intact files stands here."""
        return is_intact(self.done)

    def start(self) -> None:
        """An empty staging folder; checkpoints of an earlier attempt stay."""
        for leftover in (self.staging, self.done):
            shutil.rmtree(leftover, ignore_errors=True)
        self.staging.mkdir(parents=True)
        self.checkpoints.mkdir(exist_ok=True)

    def kept(self) -> str:
        """The last complete file of the checkpoints and how many there are; empty without any."""
        paths = (path for path in self.checkpoints.rglob("*") if path.is_file() and path.suffix not in (".log", ".tmp"))
        names = sorted(path.relative_to(self.checkpoints).as_posix() for path in paths)
        complete = [name for name in names if not name.startswith(".")]
        return f"{complete[-1]} ({len(complete)} in all)" if complete else ""

    def finish(self, accounting: dict[str, int], provenance: dict) -> None:
        """Seal the staging folder: manifest, provenance, read-only files, one rename."""
        write_json(self.staging / NAME, make_manifest(self.staging, accounting))
        write_json(self.staging / PROVENANCE, provenance)
        for path in self.staging.rglob("*"):
            if path.is_file():
                path.chmod(0o444)
        self.staging.rename(self.done)
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        self.parts.unlink(missing_ok=True)

    def adopt(self, content_id: str) -> bool:
        """Link the finished artifact of equal config, code and input bytes into this directory, if there is one."""
        pointer = self.root / "same" / content_id
        if not pointer.is_file():
            return False
        twin = self.root / pointer.read_text().strip()
        if twin == self.path or not is_intact(twin / "done"):
            return False
        self.keep(twin / "done" / NAME)
        return True

    def keep(self, manifest: Path) -> None:
        """Make the finished artifact of a manifest elsewhere the finished one here, by hard links."""
        folder = manifest.parent
        events = [path.relative_to(folder) for path in (folder / EVENTS).rglob("*") if path.is_file()]
        shutil.rmtree(self.staging, ignore_errors=True)
        for name in (*read_manifest(manifest)["files"], PROVENANCE, *events):
            link(folder / name, self.staging / name)
        link(manifest, self.staging / NAME)
        shutil.rmtree(self.done, ignore_errors=True)
        self.staging.rename(self.done)

    def remember(self, content_id: str) -> None:
        """Make this finished artifact findable by its content id."""
        pointer = self.root / "same" / content_id
        pointer.parent.mkdir(parents=True, exist_ok=True)
        temporary = pointer.with_name(f".{content_id}.{os.getpid()}")
        temporary.write_text(self.path.relative_to(self.root).as_posix() + "\n")
        temporary.replace(pointer)

    def publish(self, output: Path) -> None:
        """Hard-link the finished files beside the output manifest, which comes last; remove what is not listed there.

        `output` is `.../name-key/manifest.json`, or `.../name/manifest-key.json` for a stable path, whose older
        manifests go, so that exactly the current one stands.
        """
        folder = output.parent
        folder.mkdir(parents=True, exist_ok=True)
        for stale in folder.glob("manifest*.json"):
            stale.unlink()
        names = [p.relative_to(self.done).as_posix() for p in self.done.rglob("*") if p.is_file() and p.name != NAME]
        for path in [p for p in folder.rglob("*") if p.is_file() and p.relative_to(folder).as_posix() not in names]:
            if path.name not in _KEPT:
                path.unlink()
        for name in names:
            link(self.done / name, folder / name)
        link(self.done / NAME, output)


_KEPT = ("README.md",)


def link(source: Path, target: Path) -> None:
    """Hard link, or copy where the file system has none, under a temporary name and renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except FileNotFoundError as error:
        raise StageError(f"{source}: file is missing") from error
    except OSError:
        shutil.copy2(source, temporary)
    temporary.replace(target)
    temporary.unlink(missing_ok=True)  # rename() between two links of one file leaves both
