"""Label a long table with a judge, shard by shard: a killed job goes on where it was.

A shard is a run of consecutive rows, scored by itself, so that its batches and with them its bits depend on nothing
else. It is written under a temporary name and renamed; a finished one is never computed again. Several ranks take turns
over the shards; the first one reads them in the end.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.artifacts.schemas import SCORES
from workflow_scripts.artifacts.tables import read_table, write_table
from workflow_scripts.rewards.judge import Judge, Scores, judge_answers


def label_shards(stage: Any, load: Callable[[], Judge], rows: Sequence[dict[str, Any]], size: int) -> None:
    """Score all rows (with prompt, answer, reference) in shards of `size`, kept in the stage's checkpoints folder.

    `load()` gives the judge and is called only where a shard is missing. Every rank must call this with the same rows.
    """
    shards = _shards(stage, rows, size)
    missing = stage.ranks.share([start for start, path in shards.items() if not path.is_file()])
    if not missing:
        return
    stage.log(f"{len(shards) - len(missing)} of {len(shards)} shards are there, labelling the others")
    with load() as judge:
        for start in missing[stage.ranks.rank :: stage.ranks.world]:
            _write_shard(shards[start], _score(judge, rows[start : start + size]))
            stage.progress(sum(path.is_file() for path in shards.values()), len(shards))
        stage.ranks.gather(None)  # nobody stops a server that others still ask


def read_shards(stage: Any, rows: Sequence[dict[str, Any]], size: int) -> Scores:
    """Scores of all rows, in their order, from finished shards. For one rank: the others may have gone on."""
    shards = _shards(stage, rows, size)
    return join_scores(_read_shard(path, len(rows[start : start + size])) for start, path in shards.items())


def join_scores(tables: Iterable[pa.Table]) -> Scores:
    """Scores of consecutive SCORES tables."""
    table = pa.concat_tables([SCORES.empty_table(), *tables])
    return Scores(*(table[name].to_numpy() for name in SCORES.names))


def _shards(stage: Any, rows: Sequence[dict[str, Any]], size: int) -> dict[int, Path]:
    folder = stage.checkpoints / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    return {start: folder / f"{start:09d}.parquet" for start in range(0, len(rows), size)}


def _score(judge: Judge, rows: Sequence[dict[str, Any]]) -> Scores:
    return judge_answers(judge, *([row[name] for row in rows] for name in ("prompt", "answer", "reference")))


def _write_shard(path: Path, scores: Scores) -> None:
    temporary = path.with_suffix(".tmp")
    write_table(temporary, {"yes": scores.yes, "no": scores.no}, SCORES)
    temporary.replace(path)


def _read_shard(path: Path, size: int) -> pa.Table:
    table = read_table(path, SCORES)
    if table.num_rows != size:
        raise StageError(f"{path}: {table.num_rows} rows in place of {size}: remove it and run the job again")
    return table
