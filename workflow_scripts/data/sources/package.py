"""Questions of a data file inside an installed Python package, for machines that reach a registry and no hub."""

from importlib.resources import as_file, files

from workflow_scripts.data.sources import Drawn, from_records
from workflow_scripts.data.sources.file import read_records


def load(source: dict, name: str, split: dict, seed: int) -> Drawn:
    """All rows of the file. ValueError where the package is not installed or has no such file."""
    try:
        resource = files(source["package"]).joinpath(source["resource"])
    except ModuleNotFoundError as error:
        raise ValueError(f"package {source['package']} is not installed") from error
    with as_file(resource) as path:
        return from_records(read_records(path), source["columns"], source["package"], split, seed)
