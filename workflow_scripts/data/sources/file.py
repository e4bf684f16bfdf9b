"""Questions of a local JSONL, JSON, CSV or Parquet file."""

from pathlib import Path

from workflow_scripts.data.sources import Drawn, from_records


def load(source: dict, name: str, split: dict, seed: int) -> Drawn:
    """All rows of the file; a file has one split, whatever its name here."""
    return from_records(read_records(Path(source["path"])), source["columns"], Path(source["path"]).stem, split, seed)


def read_records(path: Path) -> list[dict]:
    """Rows of a data file. ValueError names a file of unknown kind or one that does not parse."""
    import pandas as pd

    readers = {
        ".jsonl": lambda: pd.read_json(path, lines=True, dtype=False),
        ".json": lambda: pd.read_json(path, dtype=False),
        ".csv": lambda: pd.read_csv(path, dtype=str, keep_default_na=False),
        ".parquet": lambda: pd.read_parquet(path),
    }
    if not path.is_file():
        raise ValueError(f"{path}: file is missing")
    if path.suffix not in readers:
        raise ValueError(f"{path}: unknown kind of file (known: {', '.join(readers)})")
    try:
        return readers[path.suffix]().to_dict("records")
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: not readable: {str(error).splitlines()[0]}") from error
