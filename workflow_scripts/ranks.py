"""The processes of one job. `torchrun` starts a stage once per GPU and says so in RANK and WORLD_SIZE.

Rank 0 alone holds the lock, writes and publishes; the others compute with it. What goes between them here is small or
lies on the CPU, so it travels over gloo; gradients are the training backend's business.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ranks:
    """This process (`rank`) among `world` ones; alone by default."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, in order, on every rank. RuntimeError (`is_lost_rank`) where another one is gone."""
        if self.world == 1:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def share(self, value: Any) -> Any:
        """Rank 0's value, on every rank."""
        return self.gather(value)[0]

    def part(self, count: int) -> range:
        """This rank's consecutive part of `count` items; parts differ by at most one."""
        return range(self.rank * count // self.world, (self.rank + 1) * count // self.world)

    def part_company(self) -> None:
        """End together: a rank that is gone while another one still talks to it takes that one down."""
        if self.world > 1:
            import torch.distributed as dist

            dist.barrier()
            dist.destroy_process_group()


def log_of_rank(log: Path, rank: int) -> Path:
    """The log of one process: `NAME.log` of the first rank, `NAME.log.rank1`, ... beside it of the others."""
    return log.with_name(f"{log.name}.rank{rank}") if rank else log


def is_lost_rank(error: RuntimeError) -> bool:
    """Whether a collective failed because the other side is gone, as gloo and NCCL word it."""
    return any(
        sign in str(error) for sign in ("Connection closed by peer", "Connection reset by peer", "remote process")
    )


def leave(status: int) -> int:
    """Return `status`, or end the process with it at once where it is one of several.

    Threads of the communication libraries that ask for the interpreter's lock while it shuts down abort the process
    now and then: 2 of 26 groups of two ranks ended with SIGABRT after all their work was done.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def start_ranks() -> Ranks:
    """Join the processes that the launcher started; one alone where it started none."""
    ranks = Ranks(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1)))
    if ranks.world > 1:
        import torch
        import torch.distributed as dist

        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    return ranks
