"""Questions of a Hugging Face data set at a pinned revision (data files only, no loading scripts, no network)."""

from collections.abc import Iterable, Iterator
from typing import Any

from workflow_scripts.data.collect import collect
from workflow_scripts.data.sources import Tables
from workflow_scripts.data.sources.columns import Record

BATCH = 1000  # records taken from Arrow at once


def make_tables(config: dict[str, Any], foreign: Iterable[str]) -> Tables:
    """Return the splits of `source["repo"]`."""
    source = config["source"]
    return collect(config, lambda origin, columns: read(source, origin, columns), foreign)


def read(source: dict[str, Any], origin: str, columns: set[str]) -> Iterator[Record]:
    """Yield the records of the split `origin`, only `columns` where all are there; ValueError if it cannot be had.

    They are read from the download in `source["folder"]`; without one `repo` is itself a local copy of a repository,
    whose revision is not looked at. The configurations that its README.md defines hold.
    """
    table = _load(source, origin)
    number = 0
    if columns <= set(table.column_names):
        table = table.select_columns(sorted(columns))
    for batch in table.iter(BATCH):
        for cells in zip(*batch.values(), strict=True):
            number += 1
            yield f"row {number}", dict(zip(batch, cells, strict=True))


def _load(source: dict[str, Any], origin: str) -> Any:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    repo, revision = source["repo"], source["revision"]
    folder = source.get("folder", repo)
    if not folder.startswith((".", "/")):  # the library would ask the hub
        raise ValueError(f"data set {repo} was not downloaded")
    try:
        return load_dataset(folder, source.get("name"), split=origin, cache_dir=source.get("scratch"))
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"data set {repo} at revision {revision}, split {origin!r}: {first}") from error
