"""What the ranks of a job with model servers do: `python -m tests.slurm.serving_job FOLDER`, by a placement's launcher.

As a stage: hide what is not theirs, meet, start servers, ask them. Each rank writes `rank-N.json` with what it sees and
what the servers see; then it asks on until `stop` is in the folder, ends the servers, writes `stopped` and waits for
`leave`.
"""

import json
import os
import sys
import time
from pathlib import Path

from tests.unit.serving.small_server import COMMAND
from workflow_scripts.artifacts import StageError
from workflow_scripts.ranks import leave, start_ranks
from workflow_scripts.serving import Client, serve
from workflow_scripts.serving.devices import hide_serving_gpus


def main(folder: Path) -> int:
    hide_serving_gpus()
    ranks = start_ranks()
    try:
        servers = serve(COMMAND, ranks, folder / "server.log", seconds=60)
        write(folder / f"rank-{ranks.rank}.json", describe(servers.client))
        while not ranks.share((folder / "stop").exists()):
            servers.client.post("/echo", {"seconds": 0.1})
    except StageError as error:
        (folder / f"error-{ranks.rank}.txt").write_text(str(error))
        return leave(1)
    servers.close()
    write(folder / "stopped", {})
    while not (folder / "leave").exists():
        time.sleep(0.1)
    ranks.part_company()
    return leave(0)


def describe(client: Client) -> dict:
    """What this rank and each of its servers see; the key goes to the test only, in a file that is not a log."""
    endpoints = client._endpoints
    return {
        "node": os.environ.get("SLURMD_NODENAME"),
        "own": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "key": endpoints[0].key,
        "limit": client.limit,
        "servers": [Client([endpoint]).post("/seen", {}) | {"url": endpoint.url} for endpoint in endpoints],
        "logs": [str(endpoint.log) for endpoint in endpoints],
    }


def write(path: Path, content: dict) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content))
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
