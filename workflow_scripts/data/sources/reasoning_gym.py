"""Tasks that the package reasoning-gym generates, with their reference answers, at a pinned version.

The subject is the task's name. Each part of a source (origin) and each seed of the data set has tasks of its own.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from workflow_scripts.data.collect import collect
from workflow_scripts.data.sources import Tables
from workflow_scripts.data.sources.columns import Record
from workflow_scripts.data.text import hash_fraction
from workflow_scripts.packages import require

COLUMNS = {"prompt": "question", "reference": "answer", "subject": "task"}


def make_tables(config: dict[str, Any], foreign: Iterable[str]) -> Tables:
    """Return the splits, drawn from `source["size"]` tasks of each kind in `source["tasks"]` (name -> options)."""
    source = config["source"]
    require("reasoning-gym", source["version"])
    slice_ = config | {"source": source | {"columns": COLUMNS}}
    return collect(slice_, lambda origin, _columns: read(source, origin, config["seed"]), foreign)


def read(source: dict[str, Any], origin: str, seed: int) -> Iterator[Record]:
    """Yield the tasks of every kind; ValueError for a kind or an option that the package does not know."""
    import reasoning_gym

    for task, options in source["tasks"].items():
        start = int(hash_fraction("reasoning_gym", seed, origin, task) * 2**31)
        try:
            tasks = reasoning_gym.create_dataset(task, size=source["size"], seed=start, **options)
        except (ValueError, TypeError, AssertionError) as error:
            raise ValueError(f"reasoning-gym task {task!r}: {str(error).splitlines()[0]}") from None
        for number, made in enumerate(tasks, start=1):
            yield f"{task} {number}", {"question": made["question"], "answer": made["answer"], "task": task}
