"""Questions of a data file that an installed Python package ships, at a pinned version."""

from collections.abc import Iterable, Iterator
from typing import Any

from workflow_scripts.data.collect import collect
from workflow_scripts.data.sources import Tables
from workflow_scripts.data.sources.columns import Record
from workflow_scripts.data.sources.file import read_records
from workflow_scripts.packages import file_in


def make_tables(config: dict[str, Any], foreign: Iterable[str]) -> Tables:
    """Return the splits of the files `source["resource"]`, in which `{origin}` is a split's origin."""
    source = config["source"]
    return collect(config, lambda origin, columns: read(source, origin, columns), foreign)


def read(source: dict[str, Any], origin: str, columns: set[str]) -> Iterator[Record]:
    """Yield the records of the file of `origin` inside the package."""
    resource = source["resource"].replace("{origin}", origin)
    yield from read_records(file_in(source["package"], source["version"], resource), columns)
