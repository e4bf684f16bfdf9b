"""Shapes give the published numbers of parameters."""

import pytest

from tests.unit.planning.gpu_jobs import graph
from workflow_scripts.planning.cost.networks import Network, facts, network_of

# exact totals of the safetensors files on the hub; billions without embeddings of Qwen's model cards
TOTALS = {
    "Qwen/Qwen2.5-0.5B": 494_032_768,
    "Qwen/Qwen2.5-1.5B": 1_543_714_304,
    "Qwen/Qwen2.5-3B": 3_085_938_688,
    "Qwen/Qwen2.5-7B": 7_615_616_512,
    "Qwen/Qwen2.5-14B": 14_770_033_664,
    "Qwen/Qwen2.5-32B": 32_763_876_352,
    "Qwen/Qwen2.5-72B": 72_706_203_648,
    "mistralai/Mistral-7B-v0.3": 7_248_023_552,
    "mistralai/Mistral-Nemo-Base-2407": 12_247_782_400,
    "mistralai/Mistral-Small-24B-Base-2501": 23_572_403_200,
    "meta-llama/Meta-Llama-3-70B-Instruct": 70_553_706_496,
    "meta-llama/Llama-3.2-3B": 3_212_749_824,
    "meta-llama/Llama-3.1-8B": 8_030_261_248,
    "deepseek-ai/deepseek-math-7b-base": 6_910_365_696,
    "HuggingFaceTB/SmolLM2-135M": 134_515_008,
}
WITHOUT_EMBEDDINGS = {"0.5B": 0.36, "1.5B": 1.31, "3B": 2.77, "7B": 6.53, "14B": 13.1, "32B": 31.0, "72B": 70.0}


def shape(repo: str) -> Network:
    return Network(**facts("architectures")[repo])


@pytest.mark.parametrize("repo", TOTALS)
def test_parameters_are_those_on_the_hub(repo):
    assert shape(repo).parameters == TOTALS[repo]


@pytest.mark.parametrize("size", WITHOUT_EMBEDDINGS)
def test_parameters_without_embeddings_are_the_published_ones(size):
    network = shape(f"Qwen/Qwen2.5-{size}")
    found = (network.parameters - network.output * (1 if network.tied else 2)) / 1e9
    assert found == pytest.approx(WITHOUT_EMBEDDINGS[size], rel=0.015)


def test_every_shape_is_whole():
    for repo in facts("architectures"):
        network = shape(repo)
        assert network.heads % network.kv_heads == 0 and 1e8 < network.parameters < 8e10


def test_the_cache_of_a_token_is_two_values_a_layer_and_key_head():
    assert shape("Qwen/Qwen2.5-0.5B").kv_bytes() == 12_288 and shape("HuggingFaceTB/SmolLM2-135M").kv_bytes() == 23_040


def test_the_shape_is_that_of_the_model_a_policy_or_judge_was_trained_from():
    made = graph()
    policy, answers = (next(iter(made.of_stage(stage).values())) for stage in ("train_policy", "sample_answers"))
    judge = next(iter(made.of_stage("distill_judge").values()))
    assert network_of(policy) == network_of(answers.inputs["policy"]) == shape("Qwen/Qwen2.5-7B")
    assert network_of(judge) == shape("Qwen/Qwen2.5-7B-Instruct")


def test_a_scratch_model_has_its_shape_in_the_config_and_an_unknown_one_none():
    source = {"kind": "hub", "repo": "nobody/nothing", "revision": "unpinned"}
    nano = graph(models={"teacher": {"template": "judge_nano", "source": source}})
    models = {artifact.config["model"]: artifact for artifact in nano.of_stage("prepare_model").values()}
    assert network_of(models["base"]).parameters == 2 * 512 * 64 + 2 * (4 * 64 * 64 + 3 * 64 + 3 * 64 * 256 + 128) + 64
    assert network_of(models["teacher"]) is None
