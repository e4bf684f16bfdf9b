"""A stage under torchrun: two ranks compute one artifact, the first one writes it. Real snakemake, DeepSpeed, gloo."""

import pyarrow.parquet as pq
import pytest
import yaml


@pytest.fixture
def two_ranks(project):
    """The micro project, its arms trained by ZeRO-3 on two processes."""
    config = project.settings()
    config["algorithms"]["grpo"]["update"] = {**config["algorithms"]["grpo"]["update"], "backend": "zero3"}
    config["environment"] = "deepspeed"
    config["placement"] = {"train_policy": {"gpus": 2, "threads": 2, "minutes": 20}}
    config["studies"]["reward_by_entropy"] |= {"rewards": ["judge_soft"], "entropy": ["none"]}
    project.config.write_text(yaml.safe_dump(config, sort_keys=False))
    return project


def test_two_ranks_train_the_arm_that_one_trains(two_ranks):
    """Same questions, same responses and, up to rounding, the same rewards; restored in seconds when it is lost."""
    name = "judge_soft.none"
    (alone,) = [folder for folder in two_ranks.artifacts("policies") if name in folder.name]
    assert two_ranks.outcomes("policies") == {("train_policy", "computed"): 1}
    (together,) = [folder for folder in two_ranks.artifacts("policies") if name in folder.name and folder != alone]
    one, two = (pq.read_table(folder / "metrics.parquet").to_pandas() for folder in (alone, together))
    for column in ("reward", "entropy_all", "grad_norm", "length"):
        assert two[column].to_numpy() == pytest.approx(one[column].to_numpy(), rel=1e-4), column
    samples = [pq.read_table(folder / "samples.parquet").column("response").to_pylist() for folder in (alone, together)]
    assert samples[0] == samples[1]
    assert {path.name for path in together.iterdir()} == {path.name for path in alone.iterdir()}

    (together / "manifest.json").unlink()
    assert two_ranks.outcomes("policies") == {("train_policy", "restored"): 1}
    assert two_ranks.plan("policies") == {}
