"""Parts: tables that artifacts of a stage share, each kept under a key of its own.

    <results>/work/parts/<stage>/<name>-<key>/
        part.parquet   the table; an artifact that holds it unchanged holds a hard link to it
        manifest.json  its checksum, verified whenever the part is used

A part's key digests what decides its bytes: the settings and code that it is made with and the bytes that it is made
from. So an artifact with one more part makes that one alone, and a killed job goes on at the first part that is not
finished. Part and artifact are made by one process: ranks do not share a part's work.
"""

import os
import shutil
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from workflow_scripts.artifacts.accepted import Accepted
from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.fingerprint import fingerprint
from workflow_scripts.artifacts.keys import file_digest, key
from workflow_scripts.artifacts.manifest import (
    NAME,
    PROVENANCE,
    damage,
    make_manifest,
    read_json,
    read_manifest,
    write_json,
)

TABLE = "part.parquet"
FOLDER = "parts"  # below the root of the work directories; in a work directory `parts.json`, in a provenance "parts"


class Parts:
    """The parts of one stage, and those that the artifact of one work directory is made of."""

    def __init__(self, root: Path, stage: str, lock: Path, record: Path):
        self._folder, self._stage, self._record = root / FOLDER / stage, stage, record
        self._code = partial(fingerprint, stage, lock=lock)
        self._accepted = Accepted(root.parent / "accepted.json")
        self._earlier = _recorded(record)  # by an attempt that was killed
        self.used: dict[str, str] = {}  # name-key -> computed or kept

    def obtain(
        self, name: str, settings: dict, reads: dict[str, dict], write: Callable[[Path], None], log: Callable
    ) -> Path:
        """The table of a part, written by `write(path)` unless an intact one stands.

        `settings`: all that decides its bytes beside the bytes of `reads`; what they name through a registry or as a
        template counts as its code, as in a stage's config. `reads`: sha256 by file, by name.
        """
        code = self._accepted.name_of(self._stage, self._code(settings))
        identity = f"{name}-{key({'stage': self._stage, 'config': settings, 'code': code, 'reads': reads})}"
        folder = self._folder / identity
        fault = fault_of(folder)
        if fault and folder.is_dir():
            log(f"{folder / TABLE}: {fault}: computed again")
        if fault:
            self._make(folder, write)
        else:
            log(f"{name}: kept part {identity}")
        self.used[identity] = "computed" if fault else "kept"
        write_json(self._record, {FOLDER: sorted(self._earlier | self.used.keys())})
        return folder / TABLE

    def _make(self, folder: Path, write: Callable[[Path], None]) -> None:
        temporary = folder.with_name(f".{folder.name}.{socket.gethostname()}.{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            write(temporary / TABLE)
            (temporary / TABLE).chmod(0o444)
            write_json(temporary / NAME, make_manifest(temporary, {}))
            for path in (temporary / TABLE, temporary / NAME, temporary):
                _sync(path)
            _rename(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def fault_of(folder: Path, checksum: Callable[[Path], str] = file_digest) -> str:
    """What is wrong with a part, "" where it is whole."""
    try:
        manifest = read_manifest(folder / NAME)
    except StageError as error:
        return str(error).removeprefix(f"{folder / NAME}: ")
    wrong = damage(folder, manifest, checksum)
    return next(iter(wrong.values()), "" if manifest["files"].keys() == {TABLE} else "not a part")


def used_parts(work: Path) -> set[str]:
    """Names of the parts that a work directory is made of, finished or not."""
    return _recorded(work / "parts.json") | _recorded(work / "done" / PROVENANCE)


def _recorded(path: Path) -> set[str]:
    try:
        return set(read_json(path).get(FOLDER, ()))
    except (StageError, AttributeError):
        return set()


def _rename(temporary: Path, folder: Path) -> None:
    """Put a new part in its place. Another job may have been faster; a damaged one gives way."""
    with suppress(OSError):
        temporary.rename(folder)
        return
    if fault_of(folder):
        shutil.rmtree(folder)
        temporary.rename(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
