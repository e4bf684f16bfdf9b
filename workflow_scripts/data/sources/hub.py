"""Questions of a Hugging Face data set at a pinned revision (data files only, no loading scripts)."""

from collections.abc import Iterable, Iterator
from pathlib import Path
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

    A `repo` that begins with a dot or a slash is a local copy of a repository, and its revision is not looked at.
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
    if not repo.startswith((".", "/")):
        if revision == "unpinned":
            raise ValueError(f"data set {repo} has no pinned revision: put the commit to use into the config")
        if Path(repo).exists():  # which the library would read in place of the hub's
            raise ValueError(f"data set {repo}: a folder of that name is here; write ./{repo} if it is meant")
    try:
        return load_dataset(repo, source.get("name"), split=origin, revision=revision)
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"data set {repo} at revision {revision}, split {origin!r}: {first}") from error
