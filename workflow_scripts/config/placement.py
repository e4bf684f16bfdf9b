"""Where a stage's jobs run: threads, memory, walltime, GPUs, nodes and the launcher. No part of any key."""

import shlex
import sys
from pathlib import Path

from workflow_scripts.config.models import Config, Placement
from workflow_scripts.config.references import RANKED

PYTHON = shlex.quote(sys.executable)  # of the jobs; `use_container` puts that of a container in its place


def placement_of(config: Config, stage: str) -> Placement:
    """The stage's placement, or the defaults."""
    return config.placement.get(stage, Placement())


def resources_of(config: Config, stage: str, gpu_type: str = "") -> dict[str, int | str]:
    """Snakemake resources of the stage's jobs; what is unset is left out. `gpu_type` is the site's: h100, a100.

    GPUs carry `gres` (per node, for SLURM) and `accelerators` (for local scheduling), never `gpu`, which the SLURM
    plugin would turn into a total that may spread over nodes.
    """
    place = placement_of(config, stage)
    resources: dict[str, int | str] = {
        "mem_mb": int(place.memory_gb * 1024),
        "runtime": place.minutes,
        "checkpoint_every": place.checkpoint_every,
        "launcher": launcher(place, stage in RANKED),
        "environment": config.environment,  # no param: those would rerun every job where it changes
    }
    if place.gpus:
        gres = ":".join(part for part in ("gpu", gpu_type, str(place.gpus)) if part)
        resources |= {"gres": gres, "accelerators": place.gpus * place.nodes}
    if place.nodes > 1:  # `mpi`: the launcher calls srun itself; tasks_per_gpu 0: one task per node, not per GPU
        resources |= {"nodes": place.nodes, "tasks": place.nodes, "tasks_per_gpu": 0, "mpi": "srun"}
    return resources


def use_container(config: Config, code: Path) -> None:
    """Have jobs run the container's interpreter on the code of this checkout, whose fingerprint is in their keys.

    Raises ValueError where a stage has several nodes: srun, which starts its ranks there, is not in a container.
    """
    global PYTHON
    for stage, place in config.placement.items():
        if place.nodes > 1:
            raise ValueError(f"config: placement.{stage}.nodes: {place.nodes}: jobs in a container have one node")
    PYTHON = f"env PYTHONPATH={shlex.quote(str(code))} python"


def launcher(place: Placement, ranked: bool) -> str:
    """`python -m`; for a ranked stage `torchrun -m` on several GPUs and `srun torchrun -m` on several nodes.

    The shell of the batch host fills in `$(...)`: the ranks meet there, on a port and under an id of this SLURM job,
    so that two jobs with the same first host do not meet each other.
    """
    python = f"{PYTHON} -m"
    if not ranked or place.ranks == 1:
        return python
    torchrun = f"{python} torch.distributed.run --nproc-per-node={place.ranks // place.nodes}"
    if place.nodes == 1:
        return f"{torchrun} --standalone -m"
    meet = "--rdzv-endpoint=$(hostname):$((20000 + SLURM_JOB_ID % 10000)) --rdzv-id=$SLURM_JOB_ID"
    return f"{_srun(place)} {torchrun} --nnodes={place.nodes} --rdzv-backend=c10d {meet} -m"


def _srun(place: Placement) -> str:
    """One task per node of the allocation. Every flag is given: the plugin takes SLURM's variables out of the shell."""
    gres = f" --gres=gpu:{place.gpus}" if place.gpus else ""
    return (
        f"srun --nodes={place.nodes} --ntasks={place.nodes} --ntasks-per-node=1 --cpus-per-task={place.threads}"
        f"{gres} --kill-on-bad-exit=1"
    )
