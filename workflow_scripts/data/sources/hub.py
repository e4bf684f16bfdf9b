"""Questions of a data set of the Hugging Face hub at a pinned revision (or from the local cache without a network)."""

from workflow_scripts.data.sources import Drawn, from_records


def load(source: dict, name: str, split: dict, seed: int) -> Drawn:
    """All rows of a split of the hub's. ValueError, one line, where it cannot be loaded."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    repo, revision = source["repo"], source["revision"]
    if revision == "unpinned":
        raise ValueError(f"data set {repo} has no pinned revision: put the commit to use into the config")
    try:
        table = load_dataset(repo, source["name"], split=split["source"] or name, revision=revision)
    except (DatasetsError, OSError, ValueError) as error:
        raise ValueError(f"data set {repo} at revision {revision}: {str(error).splitlines()[0]}") from error
    return from_records(table.to_list(), source["columns"], repo.rpartition("/")[2], split, seed)
