"""Take a model from the Hugging Face hub at a pinned revision (or from the local cache where there is no network)."""

from pathlib import Path
from typing import Any

from workflow_scripts.artifacts import Stage, StageError

# Weights as safetensors only, and never a file that could run.
PATTERNS = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "LICENSE*", "README.md"]


def prepare(stage: Stage, source: dict[str, Any], seed: int) -> None:
    """Write the snapshot `source["repo"]` at `source["revision"]` to model/; StageError in one line if it fails."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repo, revision = source["repo"], source["revision"]
    if revision == "unpinned":
        raise StageError(f"model {repo} has no pinned revision: put the commit to use into the config")
    target = stage.out / "model"
    try:
        snapshot_download(repo, revision=revision, allow_patterns=PATTERNS, local_dir=target)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise StageError(f"model {repo} at revision {revision}: {str(error).splitlines()[0]}") from error
    _check(target, repo)


def _check(target: Path, repo: str) -> None:
    import shutil

    shutil.rmtree(target / ".cache", ignore_errors=True)  # download times would make the artifact differ each time
    if not list(target.glob("*.safetensors")):
        raise StageError(f"model {repo} has no safetensors weights; other formats are refused")
