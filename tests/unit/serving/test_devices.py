"""Which GPUs the ranks see, and which the servers."""

import pytest

from workflow_scripts.artifacts import StageError
from workflow_scripts.serving.devices import hide_serving_gpus, serving_groups


def split(visible: str | None, ranks: int, serving: int) -> dict[str, str]:
    environment = {"RANK_GPUS": str(ranks), "SERVING_GPUS": str(serving)}
    environment |= {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    hide_serving_gpus(environment)
    return environment


@pytest.mark.parametrize(
    ("visible", "ranks", "serving", "own", "others"),
    [
        ("0,1,2,3,4,5,6,7", 6, 2, "0,1,2,3,4,5", "6,7"),
        ("3,5", 1, 1, "3", "5"),
        ("GPU-8f,GPU-17,MIG-aa", 1, 2, "GPU-8f", "GPU-17,MIG-aa"),
        (None, 2, 2, "0,1", "2,3"),  # a machine without SLURM
        ("4,5", 0, 2, "", "4,5"),
    ],
)
def test_ranks_get_the_first_ones_by_the_names_of_the_allocation(visible, ranks, serving, own, others):
    environment = split(visible, ranks, serving)
    assert (environment["CUDA_VISIBLE_DEVICES"], environment["SERVING_DEVICES"]) == (own, others)
    assert serving_groups(1, environment) == others.split(",")


def test_without_a_placement_nothing_is_hidden():
    environment = {"CUDA_VISIBLE_DEVICES": "0,1"}
    hide_serving_gpus(environment)
    assert environment == {"CUDA_VISIBLE_DEVICES": "0,1"} and serving_groups(2, environment) == ["0,1"]
    assert serving_groups(8, {}) == [""]


def test_one_line_where_the_allocation_is_smaller_than_the_placement():
    with pytest.raises(StageError, match="6 GPUs for ranks and 2 for servers, but CUDA_VISIBLE_DEVICES has 4"):
        split("0,1,2,3", 6, 2)
    with pytest.raises(StageError, match="tensor_parallel: 4 does not divide the 6 GPUs for servers"):
        serving_groups(4, {"CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5"})
