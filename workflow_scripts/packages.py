"""Files that an installed Python package ships, at a pinned version. The package's own code is never run."""

from importlib import metadata, util
from pathlib import Path


def require(package: str, version: str) -> None:
    """ValueError unless this version of the package is installed: the version stands for what it ships in the key."""
    try:
        installed = metadata.version(package)
    except metadata.PackageNotFoundError:
        raise ValueError(f"package {package!r} is not installed: pip install {package}=={version}") from None
    if installed != version:
        raise ValueError(f"package {package!r} is installed as {installed}, the config names {version}")


def file_in(package: str, version: str, resource: str) -> Path:
    """The file `resource` inside a package of that version; ValueError where there is none."""
    require(package, version)
    spec = util.find_spec(package.replace("-", "_"))
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    for folder in folders:
        if (folder / resource).is_file():
            return folder / resource
    raise ValueError(f"package {package!r} {version}: {resource}: no such file")
