"""Questions of a data file that an installed Python package ships, at a pinned version."""

from collections.abc import Iterable, Iterator
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from workflow_scripts.data.collect import collect
from workflow_scripts.data.sources import Tables
from workflow_scripts.data.sources.columns import Record
from workflow_scripts.data.sources.file import read_records


def make_tables(config: dict[str, Any], foreign: Iterable[str]) -> Tables:
    """Return the splits of the files `source["resource"]`, in which `{origin}` is a split's origin."""
    source = config["source"]
    require(source["package"], source["version"])
    return collect(config, lambda origin, columns: read(source, origin, columns), foreign)


def read(source: dict[str, Any], origin: str, columns: set[str]) -> Iterator[Record]:
    """Yield the records of the file of `origin` inside the package."""
    resource = source["resource"].replace("{origin}", origin)
    folder = resources.files(source["package"].replace("-", "_"))
    with resources.as_file(folder.joinpath(resource)) as path:
        yield from read_records(Path(path), columns)


def require(package: str, version: str) -> None:
    """ValueError unless this version of the package is installed: the version stands for the data in the key."""
    try:
        installed = metadata.version(package)
    except metadata.PackageNotFoundError:
        raise ValueError(f"package {package!r} is not installed: pip install {package}=={version}") from None
    if installed != version:
        raise ValueError(f"package {package!r} is installed as {installed}, the config names {version}")
