"""The stage contract, once: every stage module is `run_stage(name, build, argv)` around its own `build(stage)`.

    python -m workflow_scripts.stages.train_policy --spec JSON --output results/policies/NAME-KEY/manifest.json \\
        --work results/work --input policy=results/models/base-KEY/manifest.json

1. The key in the output path must be the digest of the spec, and the code that runs must be the code that the spec
   names: an edit while the job was queued stops it.
2. A finished work directory of this key, or of equal config, code and input bytes, is published again in seconds.
3. Otherwise build() runs under a lock, writes into a staging folder, and is sealed and published, manifest last.

Started by torchrun, every process runs build(), and the first one alone locks, writes and publishes.

Whatever fails, the last line on the terminal says what and where, the exit status is 1, and no artifact is touched.
"""

import argparse
import errno
import importlib.metadata
import json
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa

from workflow_scripts.artifacts.accepted import Accepted
from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.fingerprint import ROOT, fingerprint, stage_libraries
from workflow_scripts.artifacts.keys import canonical_json, digest, file_digest, key
from workflow_scripts.artifacts.manifest import read_json, write_json
from workflow_scripts.artifacts.provenance import Clock, make_provenance
from workflow_scripts.artifacts.tables import read_table, write_table
from workflow_scripts.artifacts.workdir import WorkDir
from workflow_scripts.ranks import Ranks, is_lost_rank, leave, log_of_rank, start_ranks

PROGRESS_SECONDS = 2.0


class Stage:
    """What build() sees: its config, its verified inputs, a place to write, and a way to report progress."""

    def __init__(
        self,
        config: dict,
        manifests: dict[str, Path],
        work: WorkDir,
        deadline: float | None = None,
        ranks: Ranks | None = None,
    ):
        self.config, self.deadline, self.ranks = config, deadline, ranks or Ranks()
        self.inputs = {role: path.parent for role, path in manifests.items()}
        self.out, self.checkpoints = work.staging, work.checkpoints
        self.accounting: dict[str, int] = {}
        self.timings: dict[str, float] = {}
        self._manifests, self._work, self._progress_at = manifests, work, 0.0

    # ----------------------------------------------------------------------------------------- reading
    def read(self, role: str, file: str, schema: pa.Schema) -> pa.Table:
        """A table of an upstream artifact, its checksum and schema verified."""
        return read_table(self.path(role, file), schema)

    def path(self, role: str, name: str) -> Path:
        """A file or folder of an upstream artifact, checksums verified. Raises StageError naming what is damaged."""
        if role not in self._manifests:
            raise StageError(f"no input {role!r}; there are {', '.join(self._manifests) or 'none'}")
        folder, files = self.inputs[role], read_json(self._manifests[role])["files"]
        listed = [file for file in files if file == name or file.startswith(name + "/")]
        if not listed:
            raise StageError(f"{folder}: {name} is not part of this artifact")
        for file in listed:
            if not (folder / file).is_file():
                raise StageError(f"{folder / file}: file is missing")
            if file_digest(folder / file) != files[file]["sha256"]:
                raise StageError(f"{folder / file}: checksum differs from the manifest: the file is damaged")
        return folder / name

    def has(self, role: str, file: str) -> bool:
        """Whether an upstream artifact lists this file."""
        return role in self._manifests and file in read_json(self._manifests[role])["files"]

    # ----------------------------------------------------------------------------------------- writing
    def write(self, file: str, columns: pa.Table | dict[str, Any], schema: pa.Schema) -> None:
        """Write a table of this artifact, checked against its schema. Only the first rank writes."""
        if not self.ranks.first:
            return
        path = self.out / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, columns, schema)

    def account(self, **counts: int) -> None:
        """Record row counts in the manifest: what was generated, dropped and kept."""
        self.accounting |= {name: int(count) for name, count in counts.items()}

    # --------------------------------------------------------------------------------------- reporting
    def log(self, message: str) -> None:
        if self.ranks.first:
            print(message, flush=True)

    def time(self, phase: str, seconds: float) -> None:
        """Add seconds to a phase of the provenance; no part of the artifact's identity."""
        self.timings[phase] = self.timings.get(phase, 0.0) + seconds

    def progress(self, step: int, total: int, **figures: float) -> None:
        """Live progress: `progress.json` in the work directory and a log line, at most every two seconds."""
        now = time.monotonic()
        if not self.ranks.first or (now - self._progress_at < PROGRESS_SECONDS and step != total):
            return
        self._progress_at = now
        write_json(self._work.path / "progress.json", {"step": step, "total": total, **figures})
        text = " ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self.log(f"{step}/{total} {text}".rstrip())


def run_stage(name: str, build: Callable[[Stage], None], argv: list[str] | None = None) -> int:
    """Parse the command line, restore or build the artifact, publish it. Returns the exit status."""
    clock, args = Clock(), _parse(name, argv)
    terminal = _redirect(args.log and log_of_rank(args.log, int(os.environ.get("RANK", 0))))
    signal.signal(signal.SIGTERM, _terminate)
    os.environ.update(OMP_NUM_THREADS=str(args.threads), TOKENIZERS_PARALLELISM="false")
    try:
        _run(name, build, args, clock)
    except BaseException as error:  # the last line is for the user, whatever happened
        line = _one_line(error)
        if not isinstance(error, StageError | OSError | SystemExit | KeyboardInterrupt):
            traceback.print_exc()
        print(f"{name}: {line}", flush=True)
        if args.log:
            print(f"{name}: {line}  (log: {args.log})", file=terminal, flush=True)
        return leave(1)
    return leave(0)


def _run(name: str, build: Callable[[Stage], None], args: argparse.Namespace, clock: Clock) -> None:
    spec, identity = _checked_spec(name, args)
    work, ranks = WorkDir(args.work, name, identity), start_ranks()
    if not ranks.first:
        if ranks.share(None) == "build":
            build(Stage(spec["config"], args.input, work, _deadline(args), ranks))
        ranks.part_company()
        return
    with work.lock():
        digests = {role: _manifest_digest(path) for role, path in args.input.items()}
        own = {part: spec[part] for part in ("stage", "config", "code")}
        content_id = digest(canonical_json({**own, "inputs": digests}))
        if work.finished() or work.adopt(content_id):
            print(f"{name}: restored {identity}", flush=True)
            ranks.share("restored")
        else:
            libraries = _checked_libraries(name, spec["config"], args.lock)
            work.start()
            ranks.share("build")
            stage = Stage(spec["config"], args.input, work, _deadline(args), ranks)
            build(stage)
            label, _, artifact_key = identity.rpartition("-")
            provenance = make_provenance(label, artifact_key, spec, digests, clock, stage.timings, libraries)
            work.finish(stage.accounting, provenance)
            print(f"{name}: computed {identity} in {clock.seconds():.1f} s", flush=True)
        ranks.part_company()
        work.remember(content_id)
        work.publish(args.output)


def _deadline(args: argparse.Namespace) -> float | None:
    return time.monotonic() + 60 * args.minutes if args.minutes else None


def _checked_spec(name: str, args: argparse.Namespace) -> tuple[dict, str]:
    """The spec and `name-key`, after comparing the spec's digest with the path and its code with the code here."""
    spec = json.loads(args.spec)
    found = re.fullmatch(r"manifest-([0-9a-f]+)\.json", args.output.name)
    identity = f"{args.output.parent.name}-{found[1]}" if found else args.output.parent.name
    if identity.rpartition("-")[2] != key(spec):
        raise StageError(
            f"{args.output}: the spec has key {key(spec)}: config or code changed while the job was queued"
        )
    here = fingerprint(name, spec["config"], args.lock)
    if Accepted(args.work.parent / "accepted.json").name_of(name, here) != spec["code"]:
        raise StageError(f"{args.output}: the code of {name} changed while the job was queued")
    return spec, identity


def _checked_libraries(name: str, config: dict, lock: Path) -> dict[str, str]:
    pins = stage_libraries(name, config, lock)
    for library, pinned in pins.items():
        try:
            installed = importlib.metadata.version(library).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            raise StageError(f"{library} is not installed, {lock} pins {pinned}: install it") from None
        if installed != pinned.partition("+")[0]:
            raise StageError(
                f"{library} {installed} is installed, {lock} pins {pinned}: install it, or edit the lock file"
            )
    return pins


def _manifest_digest(path: Path) -> str:
    if not path.is_file():
        raise StageError(f"{path}: input is missing")
    return file_digest(path)


def _parse(name: str, argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m workflow_scripts.stages.{name}")
    parser.add_argument("--spec", required=True, help="canonical JSON: stage, config, code, inputs")
    parser.add_argument("--output", required=True, type=Path, help="manifest of the artifact; its path holds the key")
    parser.add_argument("--work", required=True, type=Path, help="root of the work directories")
    parser.add_argument("--environment", default="cpu", help="envs/NAME.txt is the lock file (default cpu)")
    parser.add_argument("--input", action="append", default=[], metavar="ROLE=MANIFEST", help="an upstream artifact")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--minutes", type=float, default=0, help="time budget; 0 means none")
    parser.add_argument("--log-file", dest="log", type=Path, help="file for all output; errors also go to the terminal")
    args = parser.parse_args(argv)
    args.lock = ROOT / "envs" / f"{args.environment}.txt"
    args.input = {role: Path(path) for role, _, path in (item.partition("=") for item in args.input)}
    return args


def _redirect(log: Path | None) -> Any:
    """Send stdout and stderr, those of children too, to the log; return a stream to the terminal."""
    if log is None:
        return sys.stderr
    terminal = os.fdopen(os.dup(2), "w")
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    return terminal


def _terminate(*_) -> NoReturn:
    raise SystemExit("terminated")


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"disk is full while writing {error.filename or 'the artifact'}"
    if isinstance(error, StageError | SystemExit | OSError):
        return " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, RuntimeError) and is_lost_rank(error):
        return "another rank has ended; its log says why"
    return f"internal error: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
