"""Questions of a Hugging Face data set at a pinned revision (data files only, no loading scripts)."""

from typing import Any

from workflow_scripts.data.sources.columns import Row, to_rows


def load(source: dict[str, Any], origin: str) -> tuple[list[Row], int]:
    """Return the rows of the split `origin` and how many were empty; ValueError in one line if it cannot be had."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    repo, revision = source["repo"], source["revision"]
    try:
        table = load_dataset(repo, source.get("name"), split=origin, revision=revision)
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"data set {repo} at revision {revision}, split {origin!r}: {first}") from error
    return to_rows(table, source["columns"], f"{repo} {origin}")
