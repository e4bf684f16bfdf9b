"""What cannot fit is refused in one line; what is not known, or has no GPU, is not."""

import pytest

from tests.unit.planning.gpu_jobs import GPU_STAGES, TRAINED, graph, hub, job, settings
from workflow_scripts.config.load import load_config
from workflow_scripts.planning.cost import judging, training
from workflow_scripts.planning.cost.check import check_memory, refusals
from workflow_scripts.planning.cost.model import CostModel


def refused(stage: str, name: str = "", made=None, **changes) -> list[str]:
    build = training.policy if stage == "train_policy" else judging.label
    return list(refusals(stage, build(job(stage, name, made, **changes))))


def test_a_7b_policy_with_checkpointing_and_vllm_fits_eight_gpus():
    assert refused("train_policy", "rule.none", **TRAINED) == []


def test_what_does_not_fit_is_one_line_with_what_helps():
    with pytest.raises(ValueError) as caught:
        check_memory(graph())
    line = str(caught.value)
    assert line.startswith("config: placement.train_policy: base needs about 243 GB of each GPU for learning (")
    assert "activations 197, copy to sample from 15, optimiser 11, " in line and "there are 80" in line
    assert "what helps: activation_checkpointing: true, fewer micro_batch_tokens, more gpus or nodes" in line
    assert "\n" not in line


def test_what_helps_is_what_is_not_set_yet():
    line, _ = refused("train_policy", "rule.none", **TRAINED | {"update.micro_batch_tokens": 122_880})
    assert "activation_checkpointing" not in line and "fewer micro_batch_tokens" in line


def test_the_passes_that_check_an_engine_need_room_beside_it():
    (line,) = refused("train_policy", "rule.none", **TRAINED | {"rollout.gpu_memory": 0.6})
    assert "for sampling (vLLM 48, " in line and "a smaller rollout.gpu_memory" in line


def test_an_engine_that_may_have_to_refill_is_awake_beside_the_judge():
    models = settings()["models"] | {"judge_base": hub("7B-Instruct", batch=64)}

    def held(batches: int) -> float:
        changes = TRAINED | {"rollout.gpu_memory": 0.3, "rollout.max_batches": batches}
        needs = training.policy(job("train_policy", "judge_soft.none", graph(models=models), **changes)).needs
        return next(need.total for need in needs if need.moment == "rewards")

    asleep, awake = held(1), held(2)
    assert awake - asleep == pytest.approx(0.3 * 80 - 2)  # a sleeping one keeps 2 GB


def test_a_72b_teacher_on_two_gpus_is_refused_and_on_four_is_not():
    for gpus, count in ((1, 1), (2, 1), (4, 0)):
        models = settings()["models"] | {"teacher": hub("72B-Instruct", engine="vllm", tensor_parallel=gpus)}
        lines = refused("label_rollouts", made=graph(models=models))
        assert len(lines) == count
        assert all("teacher needs about" in line and "a larger judging.tensor_parallel" in line for line in lines)


def test_a_placement_says_what_its_gpus_have():
    place = settings()["placement"]["label_rollouts"]
    models = settings()["models"] | {"teacher": hub("72B-Instruct", engine="vllm", tensor_parallel=2)}
    large = graph(models=models, placement={"label_rollouts": place | {"gpu_memory_gb": 141}})
    assert refused("label_rollouts", made=large) == []
    assert refused("label_rollouts", made=graph(models=models, hardware={"gpu_memory_gb": 141})) == []


def test_an_engine_whose_share_holds_no_weights_is_refused():
    (line,) = refused("train_policy", "rule.none", **TRAINED | {"rollout.gpu_memory": 0.2})
    assert "of vLLM's share of a GPU" in line and "there are 16" in line and "sampling.tensor_parallel" in line


def test_offloading_needs_the_memory_of_the_node():
    offloaded = TRAINED | {"update.offload": "optimizer"}
    assert refused("train_policy", "rule.none", **offloaded) == []
    placement = {"train_policy": {"gpus": 8, "memory_gb": 100}}
    (line,) = refused("train_policy", "rule.none", graph(placement=placement), **offloaded)
    assert line == (
        "placement.train_policy.memory_gb: 100: base offloads about 122 GB to the memory of a node; raise memory_gb"
    )


def test_without_gpus_nothing_is_estimated():
    made = graph(placement={})
    check_memory(made)
    assert not any(CostModel(made).of(artifact) for artifact in made.artifacts)


def test_a_model_of_unknown_shape_refuses_nothing_and_is_named():
    source = {"kind": "hub", "repo": "nobody/nothing", "revision": "unpinned"}
    models = {name: {"template": "policy_nano", "source": source} for name in ("base", "teacher", "judge_base")}
    made = graph(models=models)
    check_memory(made)
    model = CostModel(made)
    assert not any(model.of(artifact) for artifact in made.artifacts)
    assert model.unknown == {
        f"the shape of {name} is not in config/architectures.yaml" for name in ("base", "teacher", "judge_base")
    }


def test_hardware_and_memory_of_a_placement_are_in_no_key():
    placement = {stage: {"gpus": 8, "memory_gb": 500, "gpu_memory_gb": 141} for stage in GPU_STAGES}
    changed = graph(hardware={"gpu": "a100_80", "train_mfu": 0.2}, placement=placement)
    assert {a.identity for a in changed.artifacts} == {a.identity for a in graph().artifacts}


def test_every_gpu_can_be_named():
    for name in ("h100", "h200", "a100_80", "a100_40", "l40s"):
        hardware = load_config(settings(hardware={"gpu": name})).hardware
        assert hardware.memory >= 40 and hardware.peak > hardware.peak_fp32 and hardware.bandwidth > 1e11
