"""What a rank tells the hosts of its servers."""

import json
from dataclasses import asdict, dataclass

GRACE_SECONDS = 10  # between SIGTERM and SIGKILL


@dataclass(frozen=True)
class Plan:
    """What the rank wants on a node. `{host}` and `{port}` in the command are filled in here."""

    command: list[str]
    log: str  # of the first server; those of others have a number more
    tensor_parallel: int
    seconds: float  # until the servers have to be healthy
    remote: bool = False  # by srun on a node of its own

    def to_json(self) -> str:
        return json.dumps(asdict(self))
