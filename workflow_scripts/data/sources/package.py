"""Questions of a data file that an installed Python package ships; the lock file pins the package."""

from importlib import resources
from pathlib import Path
from typing import Any

from workflow_scripts.data.sources.columns import Row, to_rows
from workflow_scripts.data.sources.file import read_records


def load(source: dict[str, Any], origin: str) -> tuple[list[Row], int]:
    """Return the rows of `source["resource"]` inside `source["package"]`, and how many were empty.

    `{origin}` in the resource becomes the split's origin. ValueError if the package is not installed.
    """
    name, resource = source["package"], source["resource"].replace("{origin}", origin)
    try:
        folder = resources.files(name)
    except ModuleNotFoundError:
        raise ValueError(f"package {name!r} is not installed") from None
    with resources.as_file(folder.joinpath(resource)) as path:
        return to_rows(read_records(Path(path)), source["columns"], f"{name}:{resource}")
