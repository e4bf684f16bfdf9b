"""What a placement asks of the site: threads, memory, walltime, GPUs, nodes and the launcher. No part of any key."""

import shlex
import sys
from pathlib import Path

from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.models import Config, Placement
from workflow_scripts.config.placed import models_of, placement_of
from workflow_scripts.config.serving import asks_server
from workflow_scripts.config.stages import RANKED

PYTHON = shlex.quote(sys.executable)  # of the jobs; `use_container` puts that of a container in its place


def placement_of_job(config: Config, artifact: Artifact) -> Placement:
    """Where the job that makes an artifact runs: one that asks no server does without what is set aside for it."""
    place = placement_of(config, artifact.stage, models_of(artifact))
    return place if asks_server(artifact.config) else place.without_serving()


def resources_of(place: Placement, stage: str, environment: str, gpu_type: str = "") -> dict[str, int | str]:
    """Snakemake resources of a stage's job; what is unset is left out. `gpu_type` is the site's: h100, a100.

    GPUs carry `gres` (per node, for SLURM) and `accelerators` (for local scheduling), never `gpu`, which the SLURM
    plugin would turn into a total that may spread over nodes.
    """
    resources: dict[str, int | str] = {
        "mem_mb": int(place.memory_gb * 1024),
        "runtime": place.minutes,
        "checkpoint_every": place.checkpoint_every,
        "launcher": launcher(place, stage in RANKED),
        "environment": environment,  # no param: those would rerun every job where it changes
    }
    if place.gpus:
        gres = ":".join(part for part in ("gpu", gpu_type, str(place.gpus)) if part)
        resources |= {"gres": gres, "accelerators": place.gpus * place.nodes}
    if place.nodes > 1:  # `mpi`: the launcher calls srun itself; tasks_per_gpu 0: one task per node, not per GPU
        resources |= {"nodes": place.nodes, "tasks": place.nodes, "tasks_per_gpu": 0, "mpi": "srun"}
    return resources


def use_container(config: Config, code: Path) -> None:
    """Have jobs run the container's interpreter on the code of this checkout, whose fingerprint is in their keys.

    Raises ValueError where a stage has several nodes (srun, which starts its ranks there, is not in a container), and
    where the path of the checkout has blanks.
    """
    global PYTHON
    if " " in str(code):
        raise ValueError(f"jobs cannot run in a container from {code}: Snakemake takes no path with blanks")
    for stage, place in config.placement.items():
        if place.nodes > 1:
            raise ValueError(f"config: placement.{stage}.nodes: {place.nodes}: jobs in a container have one node")
    PYTHON = f"env PYTHONPATH={shlex.quote(str(code))} python"


def launcher(place: Placement, ranked: bool) -> str:
    """`python -m`; for a ranked stage `torchrun -m` on several GPUs and `srun torchrun -m` on several nodes.

    The shell of the batch host fills in `$(...)`: the ranks meet there, on a port and under an id of this SLURM job,
    so that two jobs with the same first host do not meet each other. What is set aside for model servers goes ahead,
    as environment variables (serving/): SERVING_LAUNCHER starts something on the nodes behind those of the ranks.
    """
    python = f"{PYTHON} -m"
    ahead = _serving(place)
    if not ranked or place.ranks == 1:
        return f"{ahead}{python}"
    torchrun = f"{python} torch.distributed.run --nproc-per-node={place.ranks // place.rank_nodes}"
    if place.rank_nodes == 1:
        return f"{ahead}{torchrun} --standalone -m"
    meet = "--rdzv-endpoint=$(hostname):$((20000 + SLURM_JOB_ID % 10000)) --rdzv-id=$SLURM_JOB_ID"
    srun = _srun(place, place.rank_nodes, "--relative=0 " if place.serving_nodes else "")
    return f"{ahead}{srun} {torchrun} --nnodes={place.rank_nodes} --rdzv-backend=c10d {meet} -m"


def _serving(place: Placement) -> str:
    """`env NAME=VALUE ... ` for what the placement sets aside, or nothing."""
    if place.serving_gpus:
        return f"env RANK_GPUS={place.rank_gpus} SERVING_GPUS={place.serving_gpus} "
    if place.serving_nodes:
        options = f"--jobid=$SLURM_JOB_ID --overlap --relative={place.rank_nodes} "
        srun = _srun(place, place.serving_nodes, options)
        return f'env SERVING_NODES={place.serving_nodes} "SERVING_LAUNCHER={srun}" '
    return ""


def _srun(place: Placement, nodes: int, options: str = "") -> str:
    """One task per node. Every flag is given: the plugin takes SLURM's variables out of the shell.

    The environment goes along whole: a variable that were named on the command line could be read by all.
    """
    gres = f" --gres=gpu:{place.gpus}" if place.gpus else ""
    return (
        f"srun {options}--nodes={nodes} --ntasks={nodes} --ntasks-per-node=1 --cpus-per-task={place.threads}"
        f"{gres} --kill-on-bad-exit=1"
    )
