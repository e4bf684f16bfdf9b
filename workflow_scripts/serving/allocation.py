"""Which ranks start servers, and which servers a rank asks.

Without `serving_nodes` the first rank of each node starts those of its node, and the ranks of the node ask them. With
them, the first rank of all starts those of all nodes set aside, and every rank asks every server.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.artifacts.errors import StageError
from workflow_scripts.ranks import Ranks, log_of_rank
from workflow_scripts.serving.client import Client
from workflow_scripts.serving.server import START_SECONDS, Server


@dataclass
class Servers:
    """A rank's client, and the servers that it has started itself, if any. `close` ends them."""

    client: Client
    started: Server | None

    def close(self) -> None:
        if self.started is not None:
            self.started.stop()
            self.started = None


def serve(
    command: list[str], ranks: Ranks, log: Path, tensor_parallel: int = 1, seconds: float = START_SECONDS
) -> Servers:
    """Start the job's servers and wait until all are healthy. Every rank of the job must call.

    Raises StageError, the same on all ranks, naming the log of the server that did not start.
    """
    nodes, local_rank = int(os.environ.get("SERVING_NODES", 0)), int(os.environ.get("LOCAL_RANK", 0))
    server, failure = None, ""
    if ranks.first if nodes else local_rank == 0:
        try:
            server = Server.start(
                command, log_of_rank(log, ranks.rank), tensor_parallel=tensor_parallel, nodes=nodes, seconds=seconds
            )
        except StageError as error:
            failure = str(error)
    answers = ranks.gather((server.endpoints if server else [], failure))
    if failures := [text for _, text in answers if text]:
        if server:
            server.stop()
        raise StageError(failures[0])
    starter = 0 if nodes else ranks.rank - local_rank  # the first rank, of all or of this node
    sharing = ranks.world if nodes else int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return Servers(Client(answers[starter][0], ranks.rank, sharing), server)
