"""Digests of the local files that a data set is read from: they make a changed file another data set."""

from functools import cache
from pathlib import Path

from workflow_scripts.artifacts.keys import file_digest
from workflow_scripts.config.data_models import Dataset


def source_digests(dataset: Dataset) -> dict[str, str]:
    """File -> SHA-256 of every file of a `file` source: as the config gives it, else of the file that is there."""
    from workflow_scripts.data.sources.file import files_of  # loads Arrow, which few configs need

    digests = dict(dataset.source.sha256)
    for origin in {split.source or name for name, split in dataset.splits.items()}:
        for path in files_of(dataset.source.path, origin):
            if str(path) not in digests and path.is_file():
                state = path.stat()
                digests[str(path)] = _digest(path.absolute(), state.st_size, state.st_mtime_ns)
    return digests


def missing_files(dataset: Dataset) -> list[str]:
    """Files of a `file` source, or patterns, that are not there though their digests enter the key."""
    from workflow_scripts.data.sources.file import files_of

    source, origins = dataset.source, {split.source or name for name, split in dataset.splits.items()}
    found = {origin: files_of(source.path, origin) for origin in sorted(origins)}
    files = [path for paths in found.values() for path in paths]
    missing = [str(path) for path in files if str(path) not in source.sha256 and not path.is_file()]
    return missing + [source.path.replace("{origin}", origin) for origin, paths in found.items() if not paths]


@cache
def _digest(path: Path, size: int, modified: int) -> str:
    return file_digest(path)
