"""Where a stage's jobs run: threads, memory, walltime, GPUs, nodes and the launcher. No part of any key."""

import sys

from workflow_scripts.config.models import Config, Placement

PORT = 29500
RANKED = ("explore_policy", "distill_judge", "train_policy")  # stages whose work is shared by one process per GPU


def placement_of(config: Config, stage: str) -> Placement:
    """The stage's placement, or the defaults."""
    return config.placement.get(stage, Placement())


def resources_of(config: Config, stage: str) -> dict[str, int | str]:
    """Snakemake resources of the stage's jobs; what is unset is left out.

    GPUs carry `gres` (per node, for SLURM) and `accelerators` (for local scheduling), never `gpu`, which the SLURM
    plugin would turn into a total that may spread over nodes.
    """
    place = placement_of(config, stage)
    resources: dict[str, int | str] = {
        "mem_mb": int(place.memory_gb * 1024),
        "runtime": place.minutes,
        "launcher": launcher(place, stage in RANKED),
        "environment": config.environment,  # no param: those would rerun every job where it changes
    }
    if place.gpus:
        resources |= {"gres": f"gpu:{place.gpus}", "accelerators": place.gpus * place.nodes}
    if place.nodes > 1:
        resources |= {"nodes": place.nodes, "tasks": place.nodes, "tasks_per_gpu": 0, "mpi": "srun"}
    return resources


def launcher(place: Placement, ranked: bool) -> str:
    """`python -m`; for a ranked stage `torchrun -m` on several GPUs and `srun torchrun -m` on several nodes."""
    python = f"{sys.executable} -m"
    if not ranked:
        return python
    if place.nodes > 1:
        srun = f"srun --nodes={place.nodes} --ntasks={place.nodes} --ntasks-per-node=1 --kill-on-bad-exit=1"
        torchrun = f"{python} torch.distributed.run --nnodes={place.nodes} --nproc-per-node={place.gpus}"
        return f"{srun} --gres=gpu:{place.gpus} {torchrun} --rdzv-backend=c10d --rdzv-endpoint=$(hostname):{PORT} -m"
    return f"{python} torch.distributed.run --standalone --nproc-per-node={place.gpus} -m" if place.gpus > 1 else python
