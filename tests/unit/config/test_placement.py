"""From a placement to the launcher and to the resources that SLURM is asked for."""

import os
import re
import socket
import subprocess
import sys

import pytest
import yaml

from tests.project import ROOT
from workflow_scripts.config import placement as placing
from workflow_scripts.config.artifact import Artifact
from workflow_scripts.config.graph import Graph
from workflow_scripts.config.load import ConfigError, load_config
from workflow_scripts.config.models import Placement
from workflow_scripts.config.placed import models_of, placement_of
from workflow_scripts.config.placement import launcher, placement_of_job, resources_of

TORCHRUN = f"{sys.executable} -m torch.distributed.run"
TWO_NODES = Placement(nodes=2, gpus=8, threads=64)


def placed(**stages):
    """micro.yaml with a placement of its own."""
    return load_config(yaml.safe_load((ROOT / "tests/configs/micro.yaml").read_text()) | {"placement": stages})


def served_teacher(placement, tensor_parallel=1):
    """micro.yaml with a served teacher that also rewards, trainings that may have several ranks, and a placement."""
    config = yaml.safe_load((ROOT / "tests/configs/micro.yaml").read_text())
    config["models"]["teacher"]["judging"] = {"engine": "served", "tensor_parallel": tensor_parallel}
    config["rewards"]["by_teacher"] = {"kind": "teacher", "teacher": "teacher"}
    config["studies"]["reward_by_entropy"]["rewards"].append("by_teacher")
    for algorithm in config["algorithms"].values():
        algorithm.setdefault("update", {})["backend"] = "zero2"
    config["judges"]["judge"]["training"]["backend"] = "zero2"
    return load_config(config | {"environment": "deepspeed", "placement": placement})


def shell(line: str, job: int) -> list[str]:
    """The words that a shell makes of a launcher, in the environment that the executor leaves to a rule with `mpi`."""
    environment = {"PATH": "/usr/bin:/bin", "SLURM_JOB_ID": str(job)}
    done = subprocess.run(["bash", "-euc", f"printf '%s\\n' {line}"], env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("placement", "ranked", "line"),
    [
        (Placement(), True, f"{sys.executable} -m"),
        (Placement(gpus=1), True, f"{sys.executable} -m"),
        (Placement(gpus=8), False, f"{sys.executable} -m"),
        (Placement(gpus=8), True, f"{TORCHRUN} --nproc-per-node=8 --standalone -m"),
        (
            Placement(gpus=8, serving_gpus=2),
            True,
            f"env RANK_GPUS=6 SERVING_GPUS=2 {TORCHRUN} --nproc-per-node=6 --standalone -m",
        ),
        (Placement(gpus=8, serving_gpus=7), True, f"env RANK_GPUS=1 SERVING_GPUS=7 {sys.executable} -m"),
        (Placement(gpus=8, serving_gpus=8), False, f"env RANK_GPUS=0 SERVING_GPUS=8 {sys.executable} -m"),
    ],
)
def test_one_node_needs_no_srun(placement, ranked, line):
    assert launcher(placement, ranked) == line


def test_in_a_container_its_own_interpreter_runs_the_code_of_the_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(placing, "PYTHON", placing.PYTHON)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "python").write_text(
        f'#!/bin/sh\nexec {sys.executable} "$@"\n'
    )  # the first on the path, as in a container
    (tmp_path / "python").chmod(0o755)
    placing.use_container(placed(label_rollouts={"gpus": 8}), ROOT)
    line = f"exec {launcher(Placement(), True)} workflow_scripts.stages.sample_data --help"
    done = subprocess.run(["bash", "-euc", line], cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 0 and "--spec" in done.stdout, done.stderr
    assert launcher(Placement(gpus=8), True).startswith(f"env PYTHONPATH={ROOT} python -m torch.distributed.run ")
    paper = load_config(yaml.safe_load((ROOT / "config/paper.yaml").read_text()))
    with pytest.raises(ValueError, match=r"config: placement.\S+.nodes: \d+: jobs in a container have one node"):
        placing.use_container(paper, ROOT)


def test_several_nodes_start_one_torchrun_each():
    words = shell(launcher(TWO_NODES, True), job=71234)
    python = words.index(sys.executable)
    assert words[:python] == [
        *("srun", "--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--cpus-per-task=64", "--gres=gpu:8"),
        "--kill-on-bad-exit=1",
    ]
    assert words[python:] == [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=8", "--nnodes=2", "--rdzv-backend=c10d"),
        f"--rdzv-endpoint={socket.gethostname()}:21234",
        "--rdzv-id=71234",
        "-m",
    ]


def test_two_jobs_with_one_first_host_do_not_meet():
    first, second = (" ".join(shell(launcher(TWO_NODES, True), job)) for job in (71234, 71235))
    for option in (r"rdzv-endpoint=\S+:(\d+)", r"rdzv-id=(\d+)"):
        assert re.search(option, first)[1] != re.search(option, second)[1]


@pytest.mark.parametrize("nodes", [2, 5])
def test_serving_nodes_are_the_last_ones_of_the_allocation(nodes):
    """The ranks' nodes come first; what starts servers behind them travels as one variable, filled in by the shell."""
    place = Placement(nodes=nodes, serving_nodes=1, gpus=8, threads=64)
    words = shell(launcher(place, True), job=71234)
    assert words[:2] == ["env", "SERVING_NODES=1"]
    assert words[2] == (
        f"SERVING_LAUNCHER=srun --jobid=71234 --overlap --relative={nodes - 1} --nodes=1 --ntasks=1 "
        "--ntasks-per-node=1 --cpus-per-task=64 --gres=gpu:8 --kill-on-bad-exit=1"
    )
    assert not any("export" in word for word in words)  # the key travels in the environment, named nowhere
    if nodes == 2:  # the ranks have the batch host for themselves
        assert words[3:] == [*TORCHRUN.split(), "--nproc-per-node=8", "--standalone", "-m"]
    else:
        assert words[3:7] == ["srun", "--relative=0", "--nodes=4", "--ntasks=4"] and "--nnodes=4" in words


def test_nodes_without_gpus_have_one_rank_each():
    words = shell(launcher(Placement(nodes=2), True), job=5)
    assert "--nproc-per-node=1" in words and not any(word.startswith("--gres") for word in words)


def test_resources_are_what_slurm_needs():
    place = Placement(gpus=8, memory_gb=4, minutes=9)
    resources = resources_of(place, "grade_answers", "cpu", gpu_type="h100")
    assert resources["gres"] == "gpu:h100:8" and resources["accelerators"] == 8
    assert resources["mem_mb"] == 4096 and resources["runtime"] == 9
    assert resources_of(place, "grade_answers", "cpu")["gres"] == "gpu:8"
    none = resources_of(Placement(), "sample_data", "cpu")
    assert not {"gres", "accelerators", "nodes", "mpi", "gpu"} & none.keys()


def test_a_placement_may_differ_by_model():
    """Laid over the stage's for every job that loads the model, as policy, teacher or judge."""
    places = {"train_policy:base": {"gpus": 1}, "train_policy": {"memory_gb": 5, "minutes": 7}}
    config = placed(**places, **{"grade_answers:teacher": {"threads": 3}, "audit_judge:judge_base": {"threads": 4}})
    small, large = (
        resources_of(placement_of(config, "train_policy", models), "train_policy", "cpu")
        for models in (["teacher"], {"base"})
    )
    assert "gres" not in small and small["runtime"] == large["runtime"] == 7 and large["gres"] == "gpu:1"
    graph = Graph(config, ROOT)
    loads = {stage: models_of(next(iter(graph.of_stage(stage).values()))) for stage in LOADS}
    assert loads == LOADS
    assert placement_of(config, "audit_judge", loads["audit_judge"]).threads == 4


LOADS = {
    "sample_data": set(),
    "explore_policy": {"base", "teacher"},
    "label_rollouts": {"teacher"},
    "distill_judge": {"judge_base"},
    "audit_judge": {"teacher", "judge_base"},
    "sample_answers": {"base"},
    "grade_answers": {"teacher"},
    "compare_results": {"base"},
}


def test_a_placement_of_an_unknown_model_or_too_many_ranks_for_one_is_refused():
    with pytest.raises(ConfigError, match="placement.train_policy:moon: 'moon' is not one of base, judge_base"):
        placed(**{"train_policy:moon": {"gpus": 1}})
    with pytest.raises(ConfigError, match="'single' is one process, but placement.train_policy starts 2"):
        placed(**{"train_policy:judge_base": {"gpus": 2}})  # of the arms that this judge rewards


def test_a_job_that_asks_no_server_does_without_what_is_set_aside():
    served = {"reward": {"judging": {"engine": "served"}}}
    alone = {"reward": {"kind": "rule"}, "rollout": {"engine": "inprocess"}}

    def resources(placement, settings):
        config = served_teacher({"train_policy": placement})
        place = placement_of_job(config, Artifact("train_policy", "arm", settings, "code", "code"))
        return resources_of(place, "train_policy", "cpu", "h100")

    place = {"gpus": 4, "nodes": 3, "serving_nodes": 1}
    with_, without = resources(place, served), resources(place, alone)
    assert (with_["nodes"], with_["tasks"], with_["accelerators"], with_["gres"]) == (3, 3, 12, "gpu:h100:4")
    assert (without["nodes"], without["tasks"], without["accelerators"], without["gres"]) == (2, 2, 8, "gpu:h100:4")
    assert "SERVING_LAUNCHER" in with_["launcher"] and "--nodes=2" in without["launcher"]
    assert "SERVING" not in without["launcher"]

    place = {"gpus": 2, "serving_gpus": 1}
    with_, without = resources(place, served), resources(place, alone)
    assert (with_["gres"], without["gres"]) == ("gpu:h100:2", "gpu:h100:1")
    assert without["launcher"] == f"{sys.executable} -m" and "nodes" not in without


@pytest.mark.parametrize(
    ("placement", "tensor_parallel", "message"),
    [
        (
            {"train_policy": {"gpus": 8}},
            1,
            "models.teacher.judging.engine: served: would share the GPUs of placement.train_policy with the training",
        ),
        ({"explore_policy": {"gpus": 8}}, 1, "would share the GPUs of placement.explore_policy with the training"),
        ({"train_policy": {"gpus": 4, "serving_gpus": 4}}, 1, "serving_gpus: 4 of gpus: 4 leaves no GPU for the train"),
        ({"train_policy": {"gpus": 4, "serving_gpus": 5}}, 1, "train_policy: serving_gpus: 5 exceeds gpus: 4"),
        ({"train_policy": {"gpus": 4, "serving_nodes": 1}}, 1, "serving_nodes: 1 of nodes: 1 leaves none for"),
        (
            {"train_policy": {"gpus": 4, "serving_gpus": 2, "nodes": 2, "serving_nodes": 1}},
            1,
            "servers run on GPUs of every node or on serving_nodes, not on both",
        ),
        (
            {"train_policy": {"gpus": 8, "serving_gpus": 3}},
            2,
            "models.teacher.judging.tensor_parallel: 2 does not divide the 3 GPUs per node that placement.train_policy",
        ),
        ({"label_rollouts": {"gpus": 6}}, 4, "4 does not divide the 6 GPUs per node that placement.label_rollouts has"),
        ({"grade_answers": {"gpus": 1}}, 4, "4 does not divide the 1 GPUs per node that placement.grade_answers has"),
        ({"audit_judge": {"gpus": 1}}, 2, "2 does not divide the 1 GPUs per node that placement.audit_judge has"),
    ],
)
def test_servers_that_have_no_room_are_refused(placement, tensor_parallel, message):
    with pytest.raises(ConfigError, match=message) as caught:
        served_teacher(placement, tensor_parallel)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "placement",
    [
        {},
        {"train_policy": {"gpus": 6, "serving_gpus": 4}, "explore_policy": {"gpus": 4, "nodes": 2, "serving_nodes": 1}},
        {"label_rollouts": {"gpus": 8}, "audit_judge": {"gpus": 4, "serving_gpus": 4}, "distill_judge": {"gpus": 3}},
    ],
)
def test_servers_that_have_room_are_not(placement):
    assert served_teacher(placement, tensor_parallel=4)


def test_several_nodes_are_for_stages_that_share_their_work():
    with pytest.raises(ConfigError, match="placement.grade_answers.nodes: 2: on several nodes run only"):
        placed(grade_answers={"nodes": 2})
    with pytest.raises(ConfigError, match="'single' is one process, but placement.train_policy starts 2"):
        placed(train_policy={"nodes": 2})
