"""`manifest.json`: the deterministic list of an artifact's files, and the edge of the DAG.

It holds sha256, bytes, rows and Arrow schema per file and the accounting of rows, and nothing about time, host or
path, so that equal content gives an equal manifest. `provenance.json` beside it holds the rest.
"""

import json
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.keys import file_digest
from workflow_scripts.artifacts.tables import describe_file

NAME = "manifest.json"
PROVENANCE = "provenance.json"
EVENTS = "events"  # TensorBoard's files hold wall-clock times: published, but no part of what an artifact is


def make_manifest(folder: Path, accounting: dict[str, int]) -> dict:
    """The manifest of all files below a folder but its events."""
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


def damage(folder: Path, manifest: dict) -> list[str]:
    """Files of the manifest that are missing from the folder or have other bytes."""
    wrong = []
    for name, entry in manifest["files"].items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry["bytes"] or file_digest(path) != entry["sha256"]:
            wrong.append(name)
    return wrong
