"""Cases that are computed by one process or by several: a line of JSON each, for a worker module of tests/e2e."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.project import ROOT
from workflow_scripts.ranks import Ranks, leave, start_ranks


def launch(worker: str, file: Path, world: int, cases: list[dict[str, Any]]) -> None:
    """Run the cases, written to `file`, in `world` processes of the module `worker`, which must succeed."""
    file.write_text("\n".join(map(json.dumps, cases)))
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(world)] if world > 1 else []
    done = subprocess.run(
        [sys.executable, *launcher, "-m", worker, str(file)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def work(run: Callable[[dict[str, Any], Ranks], None]) -> None:
    """What a worker module does when it is run: every case of its file, on all ranks."""
    import torch

    torch.set_num_threads(1)
    ranks = start_ranks()
    for line in Path(sys.argv[1]).read_text().splitlines():
        run(json.loads(line), ranks)
    ranks.part_company()
    leave(0)
