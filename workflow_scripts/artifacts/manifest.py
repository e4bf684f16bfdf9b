"""`manifest.json`: the deterministic list of an artifact's files, and the edge of the DAG.

It holds sha256, bytes, rows and Arrow schema per file and the accounting of rows, and nothing about time, host or
path, so that equal content gives an equal manifest. `provenance.json` beside it holds the rest.
"""

import json
from collections.abc import Callable
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.keys import file_digest

NAME = "manifest.json"
PROVENANCE = "provenance.json"
LOCK = "lock.json"  # the manifests of a results root by path, kept in git
EVENTS = "events"  # TensorBoard's files hold wall-clock times: published, but no part of what an artifact is


def make_manifest(folder: Path, accounting: dict[str, int]) -> dict:
    """The manifest of all files below a folder but its events."""
    from workflow_scripts.artifacts.tables import describe_file  # Arrow: who only reads manifests needs none

    files = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.relative_to(folder).parts[0] != EVENTS):
        entry = {"sha256": file_digest(path), "bytes": path.stat().st_size}
        if path.suffix == ".parquet":
            entry |= describe_file(path)
        files[path.relative_to(folder).as_posix()] = entry
    return {"files": files, "accounting": dict(sorted(accounting.items()))}


def write_json(path: Path, value: dict) -> None:
    """Write JSON under a temporary name and rename it: a reader sees all of it or nothing."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
    temporary.replace(path)


def read_json(path: Path) -> dict:
    """Read a JSON file. Raises StageError naming the file."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise StageError(f"{path}: file is missing") from error
    except (OSError, ValueError) as error:
        raise StageError(f"{path}: not readable as JSON") from error


def read_manifest(path: Path) -> dict:
    """Read a manifest and check its shape. Raises StageError naming the file."""
    manifest = read_json(path)
    files = manifest.get("files") if isinstance(manifest, dict) else None
    entries = files.values() if isinstance(files, dict) else [None]
    if not all(isinstance(entry, dict) and {"sha256", "bytes"} <= entry.keys() for entry in entries):
        raise StageError(f"{path}: not a manifest")
    return manifest


def damage(folder: Path, manifest: dict, digest: Callable[[Path], str] = file_digest) -> dict[str, str]:
    """What is wrong with files of the manifest, by name: missing from the folder, unreadable, or of other bytes."""
    wrong = {}
    for name, entry in manifest["files"].items():
        path = folder / name
        try:
            if path.stat().st_size != entry["bytes"] or digest(path) != entry["sha256"]:
                wrong[name] = "checksum differs from the manifest"
        except FileNotFoundError:
            wrong[name] = "file is missing"
        except OSError as error:
            wrong[name] = f"not readable: {error.strerror}"
    return wrong


def is_intact(folder: Path) -> bool:
    """Whether a finished artifact with its provenance and all its bytes stands in a folder."""
    try:
        read_json(folder / PROVENANCE)
        return not damage(folder, read_manifest(folder / NAME))
    except StageError:
        return False
