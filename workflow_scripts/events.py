"""TensorBoard event files of a run: the numbers of the Parquet tables, to watch while it goes on."""

import time
from pathlib import Path
from typing import Any

from workflow_scripts.artifacts import Stage
from workflow_scripts.artifacts.manifest import EVENTS


class Events:
    """Writes scalars below `stage.out/events`; on any rank but the first it writes nothing.

    A resumed run writes its history again, since what it had written goes with the staging folder.
    """

    def __init__(self, stage: Stage) -> None:
        self._folder: Path = stage.out / EVENTS
        self._on, self._writer = stage.ranks.first, None

    def add(self, group: str, row: dict[str, Any]) -> None:
        """The numbers of one table row as `group/column` at its step."""
        if not self._on:
            return
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if self._writer is None:
            self._writer = EventFileWriter(str(self._folder), flush_secs=10)
        numbers = {name: value for name, value in row.items() if name != "step" and isinstance(value, int | float)}
        scalars = [Summary.Value(tag=f"{group}/{name}", simple_value=value) for name, value in numbers.items()]
        self._writer.add_event(Event(wall_time=time.time(), step=row["step"], summary=Summary(value=scalars)))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
