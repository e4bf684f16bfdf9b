"""What is wrong inside the folder of one artifact: manifest, checksums, Parquet tables, provenance."""

from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.artifacts import schemas
from workflow_scripts.artifacts.analysis_schemas import COMPARISON_TABLES, LAW_TABLES
from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.keys import file_digest
from workflow_scripts.artifacts.manifest import EVENTS, PROVENANCE, damage, read_json, read_manifest
from workflow_scripts.artifacts.tables import describe_file

# stage -> file -> its schema, or those of which it has one; the first pattern that fits counts.
TABLES = {
    "sample_data": {"*.truth": schemas.TRUTH, "*": (schemas.QUESTIONS, schemas.DEMONSTRATIONS, schemas.PAIRS)},
    "prepare_model": {"training": schemas.TRAINING},
    "explore_policy": {"metrics": schemas.METRICS, "rollouts": schemas.ROLLOUTS},
    "label_rollouts": {"labels": schemas.LABELS, "openers": schemas.OPENERS, "scores": schemas.SCORES},
    "distill_judge": {"training": schemas.TRAINING},
    "audit_judge": schemas.AUDIT_TABLES,
    "train_policy": {"metrics": schemas.METRICS, "validation": schemas.VALIDATION, "samples": schemas.ROLLOUTS},
    "sample_answers": {"*": schemas.ANSWERS},
    "grade_answers": {"*": schemas.GRADES},
    "fit_entropy_law": LAW_TABLES,
    "compare_results": COMPARISON_TABLES,
}

_MARK = ".snakemake_timestamp"  # in every folder that is an output


class Checksums:
    """sha256 of files; a file is read once, whatever hard links lead to it."""

    def __init__(self) -> None:
        self.bytes_read = 0
        self._known: dict[tuple, str] = {}

    def __call__(self, path: Path) -> str:
        state = path.stat()
        same = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
        if same not in self._known:
            self._known[same] = file_digest(path)
            self.bytes_read += state.st_size
        return self._known[same]


def faults(manifest: Path, checksum: Callable[[Path], str]) -> dict[Path, str]:
    """What is wrong, by file. Where the manifest itself is unreadable, it is the only file named."""
    folder = manifest.parent
    try:
        files = read_manifest(manifest)["files"]
    except StageError as error:
        return {manifest: str(error).removeprefix(f"{manifest}: ")}
    wrong = damage(folder, {"files": files}, checksum)
    for name in (name for name in _tables(files) if name not in wrong):
        if why := _table_fault(folder / name, files[name]):
            wrong[name] = why
    if why := _provenance_fault(folder / PROVENANCE):
        wrong[PROVENANCE] = why
    return {folder / name: why for name, why in wrong.items()}


def misfits(manifest: Path, stage: str) -> list[Path]:
    """Tables of an intact artifact whose columns are not those that today's code of its stage writes and reads."""
    if stage == "fetch_dataset":  # whose tables are others'
        return []
    tables = [manifest.parent / name for name in _tables(read_manifest(manifest)["files"])]
    return [path for path in tables if not _fits(path, stage)]


def _fits(path: Path, stage: str) -> bool:
    found = pq.read_schema(path)
    declared = next((kind for pattern, kind in TABLES.get(stage, {}).items() if fnmatch(path.stem, pattern)), ())
    allowed = declared if isinstance(declared, tuple) else (declared,)
    return any(found.equals(schema, check_metadata=False) for schema in allowed)


def unlisted(manifest: Path) -> list[Path]:
    """Files beside a readable manifest that are no part of its artifact, nor Snakemake's mark of a folder."""
    folder, files = manifest.parent, read_manifest(manifest)["files"]
    own = {manifest.name, PROVENANCE, "README.md", *files}
    found = {path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir() and path.name != _MARK}
    return sorted(folder / name for name in found if name.as_posix() not in own and name.parts[0] != EVENTS)


def _tables(files: dict) -> list[str]:
    return sorted(name for name in files if name.endswith(".parquet"))


def _table_fault(path: Path, entry: dict) -> str | None:
    try:
        described = describe_file(path)
    except (pa.ArrowException, OSError):
        return "not a readable Parquet file"
    fits = described == {name: entry.get(name) for name in described}
    return None if fits else "rows or columns differ from the manifest"


def _provenance_fault(path: Path) -> str | None:
    try:
        made = read_json(path)
    except StageError as error:
        return str(error).removeprefix(f"{path}: ")
    return None if isinstance(made, dict) and isinstance(made.get("inputs"), dict) else "not a provenance"
