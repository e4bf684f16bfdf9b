"""Fetch a pinned revision of a Hugging Face repository, where Snakemake runs: nothing else here uses a network.

What is downloaded stands in the spec (repository, commit, patterns of files), and each file must have the checksum that
the hub states, so that this code decides no byte. Never a file that could run: weights as safetensors, data as plain
tables, the rest JSON and text. A token comes from HF_TOKEN alone, and only the fetching stages are given it.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from workflow_scripts.artifacts import StageError
from workflow_scripts.artifacts.environment import OFFLINE
from workflow_scripts.artifacts.keys import file_digest

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

    from workflow_scripts.artifacts import Stage

# Patterns of the files to take: in the first folder, or after **/ in all. The first ones are indispensable.
WEIGHTS = ("model*.safetensors",)  # as transformers names them; Mistral puts a second copy, consolidated, beside
TABLES = tuple(f"**/*.{kind}{packed}" for kind in ("jsonl", "csv", "tsv", "json") for packed in ("", ".gz", ".zst"))
TABLES += ("**/*.parquet", "**/*.arrow", "**/*.txt")
TEXTS = ("README.md", "LICENSE*")
FILES = {"model": (*WEIGHTS, "*.json", "*.txt", "*.model", "*.jinja", *TEXTS), "dataset": (*TABLES, *TEXTS)}
NEEDED = {"model": (WEIGHTS, "safetensors weights"), "dataset": (TABLES, "data files")}
SNAPSHOT = "snapshot"
UNPINNED = "unpinned"


def fetch(stage: "Stage") -> None:
    """Write the files of `stage.config` (kind, repo, revision, files) to snapshot/; what is there already is kept.

    StageError in one line where there is no network, repository, revision, access, room, or no file of a safe kind.
    """
    kind, repo, revision = (stage.config[name] for name in ("kind", "repo", "revision"))
    what = f"{'data set' if kind == 'dataset' else kind} {repo} at revision {revision}"
    if revision == UNPINNED:
        raise StageError(f"{what.partition(' at ')[0]} has no pinned revision: put the commit to use into the config")
    if closed := [name for name in OFFLINE if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")]:
        raise StageError(f"{what}: {closed[0]} is set here, where it would be downloaded: unset it")
    os.environ |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    partial = _without_leftovers(stage.checkpoints / SNAPSHOT)
    with explained(what):
        files = chosen(what, kind, stage.config["files"], _listed(kind, repo, revision))
        check_space(what, sum(file.size or 0 for file in files) - _bytes_below(partial), stage.checkpoints)
        _download(stage, partial, files)
    for file in files:
        check_file(what, partial / file.rfilename, file)
    for file in files:  # links: a job that is killed from here on finds all of it again
        stage.link(partial / file.rfilename, f"{SNAPSHOT}/{file.rfilename}")
    stage.account(files=len(files), bytes=sum(path.stat().st_size for path in stage.out.rglob("*") if path.is_file()))


def _listed(kind: str, repo: str, revision: str) -> list["RepoSibling"]:
    """All files of the repository at this commit, with their sizes and checksums."""
    from huggingface_hub import HfApi

    info = HfApi(token=_token()).repo_info(repo, revision=revision, repo_type=kind, files_metadata=True)
    if info.sha != revision:
        raise ValueError(f"the hub answers with commit {info.sha}")
    return info.siblings or []


def _token() -> str | bool:
    """The token in the environment; False, never one that is stored on this machine."""
    return os.environ.get("HF_TOKEN") or False


def chosen(what: str, kind: str, patterns: list[str], files: list["RepoSibling"]) -> list["RepoSibling"]:
    """The files to download. StageError where one is named outside its folder, or there are none of a safe kind."""
    for file in files:
        path = PurePosixPath(file.rfilename)
        if path.is_absolute() or ".." in path.parts or "\\" in file.rfilename or not file.rfilename.isprintable():
            raise StageError(f"{what} names the file {file.rfilename!r}, which is outside its folder: refused")
    needed, name = NEEDED[kind]
    if not any(_matches(file.rfilename, needed) for file in files):
        raise StageError(f"{what} has no {name}; other formats are refused")
    return [file for file in files if _matches(file.rfilename, patterns)]


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a file is to be taken; hidden ones never are."""
    path = PurePosixPath(name)
    if any(part.startswith(".") for part in path.parts):
        return False
    deep = len(path.parts) > 1
    return any(
        fnmatchcase(path.name, pattern.removeprefix("**/")) for pattern in patterns if "/" in pattern or not deep
    )


def check_space(what: str, needed: int, folder: Path) -> None:
    """StageError where fewer than `needed` bytes are free below `folder`; a quota shows itself only when it is full."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StageError(f"{what} needs {needed / 1e9:.1f} GB more below {folder}, where {free / 1e9:.1f} GB are free")


def _without_leftovers(folder: Path) -> Path:
    """The folder, rid of what killed attempts had of single files: the library begins those again, elsewhere."""
    for path in folder.rglob("*.incomplete"):
        path.unlink()
    return folder


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _download(stage: "Stage", partial: Path, files: list["RepoSibling"]) -> None:
    """One file after the other, but not those that are there: the library fetches parts of a large one side by side."""
    from huggingface_hub import hf_hub_download

    kind, repo, revision = (stage.config[name] for name in ("kind", "repo", "revision"))
    for number, file in enumerate(files, start=1):
        hf_hub_download(
            repo, file.rfilename, repo_type=kind, revision=revision, local_dir=partial, token=_token(), etag_timeout=30
        )
        stage.progress(number, len(files), gigabytes=(file.size or 0) / 1e9)


def check_file(what: str, path: Path, file: "RepoSibling") -> None:
    """StageError, and the file removed, where it is no plain file or has not the size and checksum that the hub states.

    Large files have a SHA-256 there, small ones the SHA-1 of a git blob.
    """
    if file.lfs:
        right = not path.is_symlink() and file_digest(path) == file.lfs.sha256
    else:
        blob = path.read_bytes()
        right = not path.is_symlink() and file.blob_id in (None, _git_digest(blob)) and file.size in (None, len(blob))
    if not right:
        path.unlink()
        raise StageError(f"{what}: {file.rfilename} is not what the hub lists: removed; run it again")


def _git_digest(blob: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(blob) + blob, usedforsecurity=False).hexdigest()


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what the library raises into one line of ours: its own hold links that are signed for one reader."""
    import httpx2
    from huggingface_hub import errors

    given = "HF_TOKEN" in os.environ
    try:
        yield
    except errors.GatedRepoError:
        hint = "HF_TOKEN is not one of an account with access" if given else "accept its terms there and set HF_TOKEN"
        raise StageError(f"{what}: access is gated by the hub: {hint}") from None
    except errors.RepositoryNotFoundError:
        hint = "HF_TOKEN is refused or has no access" if given else "private ones need HF_TOKEN"
        raise StageError(f"{what}: the hub has no such repository for you ({hint})") from None
    except errors.RevisionNotFoundError:
        raise StageError(f"{what}: the repository has no such revision") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "none"
        raise StageError(f"{what}: the hub answers with status {status}") from None
    except (httpx2.TransportError, errors.LocalEntryNotFoundError, ConnectionError, TimeoutError) as error:
        hub = urlsplit(os.environ.get("HF_ENDPOINT", "")).hostname or "the hub"  # the rest may hold a password
        raise StageError(f"{what}: no answer from {hub} ({type(error).__name__}); is there a network here?") from None
    except (errors.XetDownloadError, RuntimeError) as error:  # of the store behind the hub
        raise StageError(f"{what}: the transfer broke off ({type(error).__name__}): run it again") from None
    except ValueError as error:
        raise StageError(f"{what}: {' '.join(str(error).split())[:200]}") from None
