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
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa

from workflow_scripts.artifacts.accepted import Accepted
from workflow_scripts.artifacts.budget import Budget
from workflow_scripts.artifacts.environment import redacted, set_network
from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.fingerprint import ROOT, fingerprint, fingerprint_parts, stage_libraries
from workflow_scripts.artifacts.keys import GUARDS, content_id, file_digest, identity_of, key
from workflow_scripts.artifacts.libraries import check_libraries, load_libraries
from workflow_scripts.artifacts.manifest import read_manifest, write_json
from workflow_scripts.artifacts.parts import Parts
from workflow_scripts.artifacts.provenance import make_provenance
from workflow_scripts.artifacts.spending import Clock, Spending
from workflow_scripts.artifacts.tables import Content, read_table, write_table
from workflow_scripts.artifacts.workdir import WorkDir, link
from workflow_scripts.ranks import Ranks, is_lost_rank, leave, log_of_rank, start_ranks
from workflow_scripts.serving.devices import hide_serving_gpus

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
        checkpoint_every: int = 25,
        parts: Parts | None = None,
    ):
        self.config, self.deadline, self.ranks = config, deadline, ranks or Ranks()
        self.checkpoint_every = checkpoint_every  # steps; decides no byte, so that it is no part of the config
        self.inputs = {role: path.parent for role, path in manifests.items()}
        self.out, self.checkpoints = work.staging, work.checkpoints
        self.accounting: dict[str, int] = {}
        self.timings: dict[str, float] = {}
        self._manifests, self._work, self._progress_at = manifests, work, 0.0
        self._terminated, self._parts = False, parts

    # ----------------------------------------------------------------------------------------- reading
    def read(self, role: str, file: str, schema: pa.Schema) -> pa.Table:
        """A table of an upstream artifact, its checksum and schema verified."""
        return read_table(self.path(role, file), schema)

    def path(self, role: str, name: str) -> Path:
        """A file or folder of an upstream artifact, checksums verified. Raises StageError naming what is damaged."""
        listed = self.digests(role, name)
        folder = self.inputs[role]
        for file, digest in listed.items():
            if not (folder / file).is_file():
                raise StageError(f"{folder / file}: file is missing")
            if file_digest(folder / file) != digest:
                raise StageError(f"{folder / file}: checksum differs from the manifest: the file is damaged")
        return folder / name

    def digests(self, role: str, name: str) -> dict[str, str]:
        """sha256 of a file, or of the files of a folder, of an upstream artifact, as its manifest has them."""
        if role not in self._manifests:
            raise StageError(f"no input {role!r}; there are {', '.join(self._manifests) or 'none'}")
        files = read_manifest(self._manifests[role])["files"]
        listed = {file: files[file]["sha256"] for file in files if file == name or file.startswith(name + "/")}
        if not listed:
            raise StageError(f"{self.inputs[role]}: {name} is not part of this artifact")
        return listed

    def has(self, role: str, file: str) -> bool:
        """Whether an upstream artifact lists this file."""
        return role in self._manifests and file in self.files(role)

    def files(self, role: str) -> list[str]:
        """Names of the files of an upstream artifact, sorted."""
        return sorted(read_manifest(self._manifests[role])["files"])

    # ----------------------------------------------------------------------------------------- writing
    def write(self, file: str, content: Content, schema: pa.Schema) -> None:
        """Write a table of this artifact, checked against its schema. Only the first rank writes."""
        if not self.ranks.first:
            return
        path = self.out / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(path, content, schema)

    def part(
        self,
        name: str,
        settings: dict,
        reads: list[tuple[str, str]],
        make: Callable[[], Content],
        schema: pa.Schema,
    ) -> Path:
        """A table of its own key, shared by the artifacts of this stage: `make()` is called unless it is kept.

        `settings`, and the bytes of the files and folders `reads` (role, name), are all that decides what make() gives.
        """
        digests = {f"{role}/{file}": self.digests(role, file) for role, file in reads}
        return self._parts.obtain(name, settings, digests, lambda path: write_table(path, make(), schema), self.log)

    def link(self, part: Path, file: str) -> None:
        """Make a part, as it is, a file of this artifact."""
        link(part, self.out / file)

    def account(self, **counts: int) -> None:
        """Record row counts in the manifest: what was generated, dropped and kept."""
        self.accounting |= {name: int(count) for name, count in counts.items()}

    # ------------------------------------------------------------------------------------- ending early
    @contextmanager
    def finishing_steps(self) -> Iterator[None]:
        """Within, SIGTERM (scancel, preemption, a walltime) only asks for the end: see `must_stop`.

        SIGKILL follows, 30 s later by SLURM's and torchrun's defaults: a longer step is lost, back to the checkpoint.
        """

        def ask(*_: Any) -> None:
            self._terminated = True

        before = signal.signal(signal.SIGTERM, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def must_stop(self, reserve: float = 0.0) -> str:
        """Why a loop has to save and end after this step, "" where it may go on; all ranks ask and get one answer.

        `reserve`: seconds that another step and saving it would take.
        """
        late = self.deadline is not None and time.monotonic() + reserve >= self.deadline
        reason = "terminated" if self._terminated else "time budget used up" if late else ""
        return next(filter(None, self.ranks.gather(reason)), "")

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


Guards = dict[str, Callable[[Stage], None]]


def run_stage(
    name: str,
    build: Callable[[Stage], None],
    argv: list[str] | None = None,
    guards: Guards | None = None,
    online: bool = False,
) -> int:
    """Parse the command line, restore or build the artifact, publish it. Returns the exit status.

    `guards`: role of an input (one of keys.GUARDS) -> check that lets the stage run or raises. Where such an input
    alone has changed, the artifact is restored. `online`: whether build() may ask the hub.
    """
    clock, args = Clock(), _parse(name, argv)
    terminal = _redirect(args.log and log_of_rank(args.log, int(os.environ.get("RANK", 0))))
    signal.signal(signal.SIGTERM, _terminate)
    threads = max(1, args.threads // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))  # the ranks of a node share them
    os.environ.update(OMP_NUM_THREADS=str(threads), TOKENIZERS_PARALLELISM="false")
    set_network(online)
    try:
        _run(name, build, args, clock, guards or {})
    except BaseException as error:  # the last line is for the user, whatever happened
        line = redacted(f"{name}: {_one_line(error, args.work)}")
        with suppress(OSError):  # the disk of the log may be full
            if not isinstance(error, StageError | OSError | SystemExit | KeyboardInterrupt) and not _is_full(error):
                print(redacted(traceback.format_exc()), file=sys.stderr)
            print(line, flush=True)
        if args.log:
            print(f"{line}  (log: {args.log})", file=terminal, flush=True)
        return leave(1)
    return leave(0)


def _run(name: str, build: Callable[[Stage], None], args: argparse.Namespace, clock: Clock, guards: Guards) -> None:
    budget, (spec, identity) = Budget(args.minutes), _checked_spec(name, args)
    hide_serving_gpus()
    work, ranks = WorkDir(args.work, name, identity), start_ranks()
    parts = Parts(args.work, name, args.lock, work.parts)
    stage = Stage(spec["config"], args.input, work, budget.deadline, ranks, args.checkpoint_every, parts)
    if not ranks.first:
        if ranks.share(None) == "build":
            load_libraries(stage_libraries(name, spec["config"], args.lock))
            build(stage)
            ranks.gather(clock.core_seconds())
        ranks.part_company()
        return
    for role in args.input.keys() & set(GUARDS):
        guards[role](stage)
    with work.lock():
        digests = {role: _manifest_digest(path) for role, path in args.input.items()}
        content = content_id(spec, digests)
        if work.finished() or work.adopt(content):
            print(f"{name}: restored {identity}", flush=True)
            ranks.share("restored")
        else:
            check_libraries(name, spec["config"], args.lock)
            code = fingerprint_parts(name, spec["config"], args.lock)
            budget.watch(work, name)
            work.start()
            with Spending(work.spent, clock) as spending:
                ranks.share("build")
                load_libraries(code["libraries"])
                build(stage)
                spending.of_others = sum(ranks.gather(0.0))
                provenance = make_provenance(identity, spec, digests, spending, stage.timings, code)
                work.finish(stage.accounting, provenance | ({"parts": parts.used} if parts.used else {}))
            budget.forget(work)
            print(f"{name}: computed {identity} in {clock.seconds():.1f} s", flush=True)
        ranks.part_company()
        work.remember(content)
        work.publish(args.output)


def _checked_spec(name: str, args: argparse.Namespace) -> tuple[dict, str]:
    """The spec and `name-key`, after comparing the spec's digest with the path and its code with the code here."""
    spec = json.loads(args.spec)
    identity = identity_of(args.output)
    if identity.rpartition("-")[2] != key(spec):
        raise StageError(
            f"{args.output}: the spec has key {key(spec)}: config or code changed while the job was queued"
        )
    here = fingerprint(name, spec["config"], args.lock)
    if Accepted(args.work.parent / "accepted.json").name_of(name, here) != spec["code"]:
        raise StageError(f"{args.output}: the code of {name} changed while the job was queued")
    return spec, identity


def _manifest_digest(path: Path) -> str:
    if not path.is_file():
        raise StageError(f"{path}: input is missing")
    return file_digest(path)


def _parse(name: str, argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m workflow_scripts.stages.{name}", epilog="@FILE stands for the arguments in a file, one a line."
    )
    parser.add_argument("--spec", required=True, help="canonical JSON: stage, config, code, inputs")
    parser.add_argument("--output", required=True, type=Path, help="manifest of the artifact; its path holds the key")
    parser.add_argument("--work", required=True, type=Path, help="root of the work directories")
    parser.add_argument("--environment", default="cpu", help="envs/NAME.txt is the lock file (default cpu)")
    parser.add_argument("--input", action="append", default=[], metavar="ROLE=MANIFEST", help="an upstream artifact")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--minutes", type=float, default=0, help="time budget; 0 means none")
    parser.add_argument("--checkpoint-every", type=int, default=25, help="steps between two checkpoints (default 25)")
    parser.add_argument("--log-file", dest="log", type=Path, help="file for all output; errors also go to the terminal")
    args = parser.parse_args(_arguments(sys.argv[1:] if argv is None else argv))
    args.lock = ROOT / "envs" / f"{args.environment}.txt"
    args.input = {role: Path(path) for role, _, path in (item.partition("=") for item in args.input)}
    return args


def _arguments(given: list[str]) -> list[str]:
    """The command line's arguments; `@FILE` stands for the lines of a file, however many and long."""
    lines = [Path(item[1:]).read_text().rstrip("\n").split("\n") if item[:1] == "@" else [item] for item in given]
    return [argument for part in lines for argument in part]


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


def _is_full(error: BaseException) -> bool:
    """Whether a disk or a quota is full, as Python words it, or a library (safetensors) that has its own errors."""
    full = (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "errno", None) in full or any(os.strerror(number) in str(error) for number in full)


def _one_line(error: BaseException, work: Path) -> str:
    if _is_full(error):
        return f"disk is full while writing {getattr(error, 'filename', None) or f'below {work.parent}'}"
    if isinstance(error, StageError | SystemExit | OSError):
        return " ".join(str(error).split())
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, RuntimeError) and is_lost_rank(error):
        return "another rank has ended; its log says why"
    return f"internal error: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
